/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response: renders answers.
 *
 * Owns headers and body until released. Invariant: no value of a header has a control byte, so none can end its line. Knows
 * neither libfcgi nor the registry.
 */
#include "http/response.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"

#define LINE_END "\r\n"

void response_release(struct response *rs)
{
	rs->nheaders = 0;
	str_release(&rs->head);
	str_release(&rs->body);
	os_cleanup_fd(&rs->file);
}

/* The offset in `head` at which the line of a header ends. */
static size_t line_end(const struct response *rs, size_t i)
{
	return i + 1 < rs->nheaders ? rs->headers[i + 1].at : rs->head.len;
}

/* The length of a header's value, without the end of the line. */
static size_t value_len(const struct response *rs, size_t i)
{
	return line_end(rs, i) - rs->headers[i].value - strlen(LINE_END);
}

static size_t find_header(const struct response *rs, const char *name)
{
	size_t i;

	for (i = 0; i < rs->nheaders && strcmp(rs->headers[i].name, name) != 0; i++)
		;
	return i;
}

static void drop_header(struct response *rs, const char *name)
{
	size_t i = find_header(rs, name), at, end;

	if (i == rs->nheaders)
		return;
	at = rs->headers[i].at;
	end = line_end(rs, i);
	memmove(rs->head.buf + at, rs->head.buf + end, rs->head.len - end + 1);
	rs->head.len -= end - at;
	for (rs->nheaders--; i < rs->nheaders; i++) {
		rs->headers[i] = rs->headers[i + 1];
		rs->headers[i].at -= end - at;
		rs->headers[i].value -= end - at;
	}
}

void response_cut(struct response *rs, size_t nheaders)
{
	assert(nheaders <= rs->nheaders);
	if (nheaders < rs->nheaders)
		str_cut(&rs->head, rs->headers[nheaders].at);
	rs->nheaders = nheaders;
	rs->status = 0;
	str_reset(&rs->body);
	rs->elsewhere = 0;
	rs->has_length = false;
	os_cleanup_fd(&rs->file);
}

/* Adds the line up to its value; end_header adds the rest. */
static void begin_header(struct response *rs, const char *name)
{
	size_t i = rs->nheaders;

	assert(i < RESPONSE_HEADERS_MAX);
	rs->headers[i].name = name;
	rs->headers[i].at = rs->head.len;
	str_puts(&rs->head, name);
	str_add(&rs->head, ": ", 2);
	rs->headers[i].value = rs->head.len;
	rs->nheaders++;
}

static void end_header(struct response *rs)
{
	static const bool text[256] = { [0x20 ... 0x7e] = true, [0x80 ... 0xff] = true };
	const char *end = rs->head.buf + rs->head.len, *p = rs->head.buf + rs->headers[rs->nheaders - 1].value;

	while (p < end && text[(unsigned char)*p])
		p++;
	assert(p == end);
	str_add(&rs->head, LINE_END, strlen(LINE_END));
}

void response_header(struct response *rs, const char *name, const char *fmt, ...)
{
	va_list ap;

	drop_header(rs, name);
	begin_header(rs, name);
	va_start(ap, fmt);
	str_vaddf(&rs->head, fmt, ap);
	va_end(ap);
	end_header(rs);
}

void response_header_more(struct response *rs, const char *name, const char *value)
{
	begin_header(rs, name);
	str_puts(&rs->head, value);
	end_header(rs);
}

const char *response_find(const struct response *rs, const char *name, size_t *len)
{
	size_t i = find_header(rs, name);

	*len = 0;
	if (i == rs->nheaders)
		return NULL;
	*len = value_len(rs, i);
	return rs->head.buf + rs->headers[i].value;
}

void response_length(struct response *rs, uint64_t len)
{
	static const char name[] = "Content-Length";

	drop_header(rs, name);
	begin_header(rs, name);
	str_add_u64(&rs->head, len);
	end_header(rs);
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
	bool plain = e->plain && *detail;       /* some clients print both: nothing is said twice */
	const char *message = plain ? detail : err_message(e->code);

	str_addf(body, "{\"code\":\"%s\",\"message\":\"", err_name(e->code));
	str_add_json(body, message, strlen(message));
	str_puts(body, "\",\"detail\":");
	str_puts(body, *detail && !plain ? "\"" : "null");
	if (*detail && !plain) {
		str_add_json(body, detail, strlen(detail));
		str_puts(body, "\"");
	}
	str_puts(body, "}");
}

void response_error(struct response *rs, const struct err *e, const char *request_id)
{
	size_t i;

	response_json(rs, e->status);
	os_cleanup_fd(&rs->file);
	rs->has_length = false;
	str_puts(&rs->body, "{\"errors\":[");
	/* The client of an internal error gets the id under which the log has the cause. */
	add_entry(&rs->body, e, e->code == ERR_UNKNOWN ? request_id : e->detail);
	for (i = 0; i < e->nmore; i++) {
		str_puts(&rs->body, ",");
		add_entry(&rs->body, e, e->more[i]);
	}
	str_puts(&rs->body, "]}\n");
	if ((e->status == 429 || e->status == 503) && find_header(rs, "Retry-After") == rs->nheaders)
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

/* Of a subrequest's answer nginx keeps only the headers that auth_request_set names. */
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
		{ "Cache-Control", "X-Berth-Cache" },
		{ "Vary", "X-Berth-Vary" },
		{ "Cross-Origin-Resource-Policy", "X-Berth-Resource-Policy" },
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
		for (j = 0; j < ARRAY_LEN(passed); j++) {
			if (strcmp(rs->headers[i].name, passed[j].name) != 0)
				continue;
			str_addf(out, "%s: ", passed[j].as);
			str_add(out, rs->head.buf + rs->headers[i].value, value_len(rs, i));
			str_puts(out, LINE_END);
		}
	str_puts(out, "\r\n");
}

void response_render(const struct response *rs, const struct request *rq, struct str *out)
{
	bool bodyless = rs->status == 204 || rs->status == 304;

	if (rq->precheck) {
		render_precheck(rs, out);
		return;
	}
	str_puts(out, "Status: ");
	str_add_u64(out, (uint64_t)rs->status);
	str_addf(out, " %s" LINE_END, reason(rs->status));
	str_add(out, rs->head.buf, rs->head.len);
	if (!rs->has_length && !bodyless) {
		str_puts(out, "Content-Length: ");
		str_add_u64(out, rs->body.len);
		str_puts(out, LINE_END);
	}
	str_puts(out, LINE_END);
	if (!rs->has_length && !bodyless && rq->method != METHOD_HEAD)
		str_add(out, rs->body.buf, rs->body.len);
}
