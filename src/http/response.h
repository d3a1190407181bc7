/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_RESPONSE_H
#define BERTH_HTTP_RESPONSE_H

/*
 * response: status, headers and body, put together and then rendered once.
 *
 * The one place where an error becomes JSON. Docker-Distribution-Api-Version and X-Content-Type-Options are not added
 * here: nginx puts them on every answer, its own included.
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
		size_t at, value;       /* where in `head` its line begins, and in it the value; it ends where the next begins */
	} headers[RESPONSE_HEADERS_MAX];
	size_t nheaders;
	struct str head;                /* the headers as they go out, a line each */
	struct str body;                /* `secret` where it is nobody else's business */
	uint64_t elsewhere;             /* bytes of a body that the web server sends, for the metrics */
	bool has_length;                /* Content-Length was set by hand: the body is not sent from here */
};

#define RESPONSE_INIT { .head = STR_INIT, .body = STR_INIT }

void response_release(struct response *rs);

/* response_header - set a header, replacing one of that name; a value with a control byte in it is a bug (assert) */
void response_header(struct response *rs, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* response_header_more - one more header of a name that may be there already */
void response_header_more(struct response *rs, const char *name, const char *value);

/* response_find - the value of a header that was set, of *len bytes, or NULL; borrowed until another header is set */
const char *response_find(const struct response *rs, const char *name, size_t *len);

/* response_length - the length of a body that comes from elsewhere, or of the one a HEAD does not get */
void response_length(struct response *rs, uint64_t len);

/* response_json - start a JSON body: status and Content-Type; the caller adds to rs->body, the final newline included */
void response_json(struct response *rs, int status);

/*
 * response_error - turn into the answer for e: status, error JSON, Retry-After where it belongs
 * Headers that were set before stay (Range and Location of an upload, Allow).
 */
void response_error(struct response *rs, const struct err *e, const char *request_id);

/*
 * response_render - the bytes for the web server: "Status: ...", headers, empty line, body
 * A HEAD gets headers with the real length and no body. For a precheck the answer is 204, or 403 with the real status
 * and body in X-Berth-* headers, from which nginx makes the answer without reading the request's body.
 */
void response_render(const struct response *rs, const struct request *rq, struct str *out);

#endif
