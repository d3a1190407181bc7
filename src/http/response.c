/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response: rendering answers.
 *
 * Owns header values and the body until released. Knows neither libfcgi nor the registry.
 */
#include "http/response.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void response_release(struct response *rs)
{
	size_t i;

	for (i = 0; i < rs->nheaders; i++)
		free(rs->headers[i].value);
	rs->nheaders = 0;
	str_release(&rs->body);
}

static void add_header(struct response *rs, const char *name, char *value)
{
	const unsigned char *p;

	for (p = (const unsigned char *)value; *p; p++)
		assert(*p >= 0x20 && *p != 0x7f);
	assert(rs->nheaders < RESPONSE_HEADERS_MAX);
	rs->headers[rs->nheaders].name = name;
	rs->headers[rs->nheaders++].value = value;
}

static void drop_header(struct response *rs, const char *name)
{
	size_t i;

	for (i = 0; i < rs->nheaders; i++) {
		if (strcmp(rs->headers[i].name, name) != 0)
			continue;
		free(rs->headers[i].value);
		memmove(&rs->headers[i], &rs->headers[i + 1], (rs->nheaders - i - 1) * sizeof(*rs->headers));
		rs->nheaders--;
		return;
	}
}

void response_header(struct response *rs, const char *name, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	drop_header(rs, name);
	add_header(rs, name, value);
}

void response_header_more(struct response *rs, const char *name, const char *value)
{
	add_header(rs, name, xstrdup(value));
}

const char *response_find(const struct response *rs, const char *name)
{
	size_t i;

	for (i = 0; i < rs->nheaders; i++)
		if (strcmp(rs->headers[i].name, name) == 0)
			return rs->headers[i].value;
	return NULL;
}

void response_length(struct response *rs, uint64_t len)
{
	response_header(rs, "Content-Length", "%" PRIu64, len);
	rs->has_length = true;
}

void response_json(struct response *rs, int status)
{
	rs->status = status;
	str_reset(&rs->body);
	response_header(rs, "Content-Type", "application/json; charset=utf-8");
}

static void add_entry(struct str *body, const struct err *e, const char *detail)
{
	str_addf(body, "{\"code\":\"%s\",\"message\":\"%s\",\"detail\":", err_name(e->code), err_message(e->code));
	str_puts(body, *detail ? "\"" : "null");
	if (*detail) {
		str_add_json(body, detail, strlen(detail));
		str_puts(body, "\"");
	}
	str_puts(body, "}");
}

void response_error(struct response *rs, const struct err *e, const char *request_id)
{
	size_t i;

	response_json(rs, e->status);
	rs->has_length = false;
	str_puts(&rs->body, "{\"errors\":[");
	/* What went wrong inside is in the log, under this id. */
	add_entry(&rs->body, e, e->code == ERR_UNKNOWN ? request_id : e->detail);
	for (i = 0; i < e->nmore; i++) {
		str_puts(&rs->body, ",");
		add_entry(&rs->body, e, e->more[i]);
	}
	str_puts(&rs->body, "]}\n");
	if ((e->status == 429 || e->status == 503) && !response_find(rs, "Retry-After"))
		response_header(rs, "Retry-After", "%d", 1);
}

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 416, "Range Not Satisfiable" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
		{ 507, "Insufficient Storage" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

/* nginx keeps nothing of a subrequest's answer but what it is told to take from these headers. */
static void render_precheck(const struct response *rs, struct str *out)
{
	static const struct {
		const char *name, *as;
	} passed[] = {
		{ "Allow", "X-Berth-Allow" },
		{ "Location", "X-Berth-Location" },
		{ "Range", "X-Berth-Range" },
		{ "Docker-Upload-UUID", "X-Berth-Uuid" },
		{ "Retry-After", "X-Berth-Retry-After" },
		{ "WWW-Authenticate", "X-Berth-Challenge" },
	};
	size_t i, j;

	if (rs->status < 400) {
		str_puts(out, "Status: 204 No Content\r\n\r\n");
		return;
	}
	str_addf(out, "Status: 403 Forbidden\r\nX-Berth-Status: %d\r\nX-Berth-Error: ", rs->status);
	str_add(out, rs->body.buf, rs->body.len ? rs->body.len - 1 : 0);        /* without the newline */
	str_puts(out, "\r\n");
	for (i = 0; i < rs->nheaders; i++)
		for (j = 0; j < ARRAY_LEN(passed); j++)
			if (strcmp(rs->headers[i].name, passed[j].name) == 0)
				str_addf(out, "%s: %s\r\n", passed[j].as, rs->headers[i].value);
	str_puts(out, "\r\n");
}

void response_render(const struct response *rs, const struct request *rq, struct str *out)
{
	bool bodyless = rs->status == 204 || rs->status == 304;
	size_t i;

	if (rq->precheck) {
		render_precheck(rs, out);
		return;
	}
	str_addf(out, "Status: %d %s\r\n", rs->status, reason(rs->status));
	for (i = 0; i < rs->nheaders; i++)
		str_addf(out, "%s: %s\r\n", rs->headers[i].name, rs->headers[i].value);
	if (!rs->has_length && !bodyless)
		str_addf(out, "Content-Length: %zu\r\n", rs->body.len);
	str_puts(out, "\r\n");
	if (!rs->has_length && !bodyless && rq->method != METHOD_HEAD)
		str_add(out, rs->body.buf, rs->body.len);
}
