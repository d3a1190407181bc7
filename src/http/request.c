/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: reads the parameters, and validates them.
 *
 * Owns the decoded path. Knows neither libfcgi nor the routes.
 */
#include "http/request.h"

#include <limits.h>
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

/* More than a dozen of twenty and more parameters are looked up in each request: names of another length are not compared. */
static void measure(struct request *rq)
{
	size_t i;

	for (i = 0; i < REQUEST_MEASURED && rq->params[i]; i++) {
		const char *eq = strchr(rq->params[i], '=');
		size_t len = eq ? (size_t)(eq - rq->params[i]) : 0;

		rq->name_len[i] = len <= USHRT_MAX ? (unsigned short)len : 0;
	}
	rq->measured = i;
}

/* The value of the first parameter of that name from *i on, or NULL; *i moves behind it. */
static char *next_value(const struct request *rq, const char *name, size_t *i)
{
	size_t len = strlen(name), at;

	for (at = *i; at < rq->measured; at++)
		if (rq->name_len[at] == len && memcmp(rq->params[at], name, len) == 0)
			break;
	if (at >= rq->measured)
		while (rq->params[at] && !(strncmp(rq->params[at], name, len) == 0 && rq->params[at][len] == '='))
			at++;
	*i = at + 1;
	return rq->params[at] ? rq->params[at] + len + 1 : NULL;
}

const char *request_param(const struct request *rq, const char *name)
{
	size_t i = 0;

	return next_value(rq, name, &i);
}

static const char *param_or(const struct request *rq, const char *name, const char *otherwise)
{
	const char *v = request_param(rq, name);

	return v ? v : otherwise;
}

bool request_header(const struct request *rq, const char *name, struct str *out)
{
	const char *value;
	bool found = false;
	size_t i = 0;

	str_reset(out);
	while ((value = next_value(rq, name, &i))) {
		if (found)
			str_puts(out, ", ");
		str_puts(out, value);
		found = true;
	}
	return found;
}

bool request_wipe(const struct request *rq, const char *name)
{
	bool found = false;
	size_t i = 0;
	char *value;

	while ((value = next_value(rq, name, &i))) {
		explicit_bzero(value, strlen(value));
		found = true;
	}
	return found;
}

static bool has_control(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

/* Notes the encoded slashes of a path that has been decoded. */
static void find_slashes(struct request *rq, const char *raw)
{
	size_t at;

	for (at = 0; at < rq->path.len; at++) {
		bool encoded = *raw == '%';

		if (encoded && rq->path.buf[at] == '/') {
			if (!rq->slashes++)
				rq->first_slash = at;
			rq->last_slash = at;
		}
		raw += encoded ? 3 : 1;
	}
}

/* Decodes once, and refuses what another program could read as a different path. */
static int decode_path(struct request *rq, const char *raw, size_t len, struct err *e)
{
	const char *at, *end, *slash;

	if (str_add_urldec(&rq->path, raw, len, false) < 0)
		return err_set(e, ERR_NAME_INVALID, "the path is not percent-encoded");
	at = rq->path.buf;
	end = at + rq->path.len;
	do {
		size_t n;

		slash = memchr(at, '/', (size_t)(end - at));
		n = (size_t)((slash ? slash : end) - at);
		if (has_control(at, n))
			return err_set(e, ERR_NAME_INVALID, "the path holds a control byte");
		if ((n == 1 && *at == '.') || (n == 2 && memcmp(at, "..", 2) == 0))
			return err_set(e, ERR_NAME_INVALID, "the path holds a dot segment");
		at += n + 1;
	} while (slash);
	if (rq->path.len != len)
		find_slashes(rq, raw);
	return 0;
}

int request_init(struct request *rq, char *const *params, struct err *e)
{
	const char *uri, *end, *length;
	size_t i;

	*rq = (struct request)REQUEST_INIT;
	rq->params = params;
	measure(rq);
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

int request_digest(struct digest *d, const char *s, size_t len, struct err *e)
{
	if (digest_parse(d, s, len) == 0)
		return 0;
	return err_set(e, ERR_DIGEST_INVALID, "%.*s", (int)(len < 200 ? len : 200), s);
}

void request_release(struct request *rq)
{
	str_release(&rq->path);
}

/* The next "name=value" of a query: the name decoded, the value not. False at the end. */
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
	cleanup_str struct str name = STR_SECRET, decoded = STR_SECRET;        /* it may be a form with a password */
	const char *query = rq->query, *value;
	size_t len;
	int rc = 0;

	while (rc == 0 && next_pair(&query, &name, &value, &len)) {
		if (name.len != strlen(key) || memcmp(name.buf, key, name.len) != 0)
			continue;
		str_reset(&decoded);
		if (str_add_urldec(&decoded, value, len, true) < 0 || strlen(decoded.buf) != decoded.len)
			rc = -1;
		else
			rc = visit(arg, &decoded);
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
