/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: parameters to a validated request.
 *
 * Owns the decoded path. Knows neither libfcgi nor the routes.
 */
#include "http/request.h"

#include <string.h>

#include "base/mem.h"

static const struct {
	const char *text;
	enum method method;
} methods[] = {
	{ "GET", METHOD_GET },         { "HEAD", METHOD_HEAD },   { "PUT", METHOD_PUT },
	{ "POST", METHOD_POST },       { "PATCH", METHOD_PATCH }, { "DELETE", METHOD_DELETE },
	{ "OPTIONS", METHOD_OPTIONS },
};

const char *request_method_text(enum method m)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(methods); i++)
		if (methods[i].method == m)
			return methods[i].text;
	return "other";
}

const char *request_param(const struct request *rq, const char *name)
{
	size_t len = strlen(name);
	char *const *p;

	for (p = rq->params; *p; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			return *p + len + 1;
	return NULL;
}

static const char *param_or(const struct request *rq, const char *name, const char *otherwise)
{
	const char *v = request_param(rq, name);

	return v ? v : otherwise;
}

bool request_header(const struct request *rq, const char *name, struct str *out)
{
	size_t len = strlen(name);
	bool found = false;
	char *const *p;

	str_reset(out);
	for (p = rq->params; *p; p++) {
		if (strncmp(*p, name, len) != 0 || (*p)[len] != '=')
			continue;
		if (found)
			str_puts(out, ", ");
		str_puts(out, *p + len + 1);
		found = true;
	}
	return found;
}

void request_wipe(const struct request *rq, const char *name)
{
	size_t len = strlen(name);
	char *const *p;

	for (p = rq->params; *p; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			explicit_bzero(*p + len + 1, strlen(*p + len + 1));
}

/* One decoding, and then nothing that another reader could take for a different path. */
static int decode_path(struct request *rq, const char *raw, size_t len, struct err *e)
{
	size_t i, slashes = 0, segment = 0;

	for (i = 0; i < len; i++)
		slashes += raw[i] == '/';
	if (str_add_urldec(&rq->path, raw, len, false) < 0)
		return err_set(e, ERR_NAME_INVALID, "the path is not percent-encoded");
	for (i = 0; i <= rq->path.len; i++) {
		unsigned char c = (unsigned char)rq->path.buf[i];

		if (i < rq->path.len && (c < 0x20 || c == 0x7f))
			return err_set(e, ERR_NAME_INVALID, "the path holds a control byte");
		if (i < rq->path.len && c != '/')
			continue;
		if ((i - segment == 1 && rq->path.buf[segment] == '.') ||
		    (i - segment == 2 && memcmp(rq->path.buf + segment, "..", 2) == 0))
			return err_set(e, ERR_NAME_INVALID, "the path holds a dot segment");
		segment = i + 1;
		slashes -= i < rq->path.len;
	}
	if (slashes != 0)
		return err_set(e, ERR_NAME_INVALID, "the path holds an encoded slash");
	return 0;
}

int request_init(struct request *rq, char *const *params, struct err *e)
{
	const char *uri, *end, *length;
	size_t i;

	*rq = (struct request)REQUEST_INIT;
	rq->params = params;
	rq->method_text = param_or(rq, "REQUEST_METHOD", "");
	rq->method = METHOD_OTHER;
	for (i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(rq->method_text, methods[i].text) == 0)
			rq->method = methods[i].method;
	rq->id = param_or(rq, "BERTH_REQUEST_ID", "");
	rq->remote = param_or(rq, "REMOTE_ADDR", "");
	rq->precheck = strcmp(param_or(rq, "BERTH_PRECHECK", ""), "1") == 0;
	rq->body_file = request_param(rq, "BERTH_BODY_FILE");
	if (rq->body_file && !*rq->body_file)
		rq->body_file = NULL;
	uri = param_or(rq, "REQUEST_URI", "");
	end = strchr(uri, '?');
	rq->query = end ? end + 1 : "";
	if (!end)
		end = uri + strlen(uri);
	length = param_or(rq, "CONTENT_LENGTH", "");
	rq->length_known = *length != '\0';
	if (rq->length_known && str_parse_u64(length, strlen(length), &rq->length) < 0)
		return err_set(e, ERR_SIZE_INVALID, "Content-Length");
	return decode_path(rq, uri, (size_t)(end - uri), e);
}

void request_release(struct request *rq)
{
	str_release(&rq->path);
}

/* The next "name=value" of a query: its name decoded, and the value's text. False at the end. */
static bool next_pair(const char **query, struct str *name, const char **value, size_t *value_len)
{
	const char *p = *query;
	size_t len = strcspn(p, "&"), eq = 0;

	if (!*p)
		return false;
	while (eq < len && p[eq] != '=')
		eq++;
	str_reset(name);
	if (str_add_urldec(name, p, eq, true) < 0)
		str_reset(name);
	*value = p + eq + (eq < len);
	*value_len = len - eq - (eq < len);
	*query = p + len + (p[len] == '&');
	return true;
}

int request_query_each(const struct request *rq, const char *key, int (*visit)(void *arg, const struct str *value),
		       void *arg)
{
	cleanup_str struct str name = STR_INIT, decoded = STR_INIT;
	const char *query = rq->query, *value;
	size_t len;
	int rc = 0;

	while (rc == 0 && next_pair(&query, &name, &value, &len)) {
		if (name.len != strlen(key) || memcmp(name.buf, key, name.len) != 0)
			continue;
		/* All the room at once, and wiped behind: it may be a password. */
		str_reset(&decoded);
		str_add(&decoded, value, len);
		str_reset(&decoded);
		if (str_add_urldec(&decoded, value, len, true) < 0 || strlen(decoded.buf) != decoded.len)
			rc = -1;
		else
			rc = visit(arg, &decoded);
		explicit_bzero(decoded.buf, decoded.cap);
	}
	return rc;
}

static int take_first(void *arg, const struct str *value)
{
	str_add(arg, value->buf, value->len);
	return 1;
}

int request_query(const struct request *rq, const char *key, struct str *out)
{
	str_reset(out);
	return request_query_each(rq, key, take_first, out);
}
