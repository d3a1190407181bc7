/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_RESPONSE_H
#define BERTH_HTTP_RESPONSE_H

/*
 * response: status, headers and body, collected and then rendered once.
 *
 * Only this module turns an error into JSON (doc/API.md, "Errors"). It does not add Docker-Distribution-Api-Version and
 * X-Content-Type-Options: nginx adds them to every answer, its own included (doc/API.md, "Every response").
 */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "http/request.h"

#define RESPONSE_HEADERS_MAX 80        /* 64 of them may be OCI-Tag */

struct response {
	int status;
	struct {
		const char *name;       /* static text */
		size_t at, value;       /* offsets in `head` of the line and of the value; the line ends where the next begins */
	} headers[RESPONSE_HEADERS_MAX];
	size_t nheaders;
	struct str head;                /* the headers as they are sent, a line each */
	struct str body;                /* `secret`: it is wiped after it is sent */
	uint64_t elsewhere;             /* bytes of a blob that the client gets, from the web server or `file`; only for the metrics */
	int file;                       /* the body, if it is a file; owned; -1: it is `body` */
	bool has_length;                /* response_length has set Content-Length: `body` is not sent */
};

#define RESPONSE_INIT { .head = STR_INIT, .body = STR_INIT, .file = -1 }

void response_release(struct response *rs);

/* response_cut - begin anew: keep the first headers, and nothing else */
void response_cut(struct response *rs, size_t nheaders);

/* response_header - set a header, replacing one of that name; asserts that the value has no control byte */
void response_header(struct response *rs, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* response_header_more - add a header, beside others of that name */
void response_header_more(struct response *rs, const char *name, const char *value);

/* response_find - the value of a header, of *len bytes, or NULL; borrowed until another header is set */
const char *response_find(const struct response *rs, const char *name, size_t *len);

/* response_length - set Content-Length, for a body that the web server sends or that a HEAD does not get */
void response_length(struct response *rs, uint64_t len);

/* response_json - set status and Content-Type of a JSON body; the caller adds the text to rs->body, with a final newline */
void response_json(struct response *rs, int status);

/*
 * response_error - set status and body for e, and Retry-After with 429 and 503
 * Headers that are set already stay: Range and Location of an upload, Allow.
 */
void response_error(struct response *rs, const struct err *e, const char *request_id);

/*
 * response_render - the bytes for the web server: "Status: ...", headers, empty line, body
 * A HEAD gets the headers of a GET and no body. A precheck gets 204, or 403 with the real status and body in headers
 * X-Berth-*, from which nginx makes the answer without reading the request's body.
 */
void response_render(const struct response *rs, const struct request *rq, struct str *out);

#endif
