/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_REQUEST_H
#define BERTH_HTTP_REQUEST_H

/*
 * request: what a client asks, taken from the parameters that the web server passed and validated.
 *
 * Parameters without HTTP_ in front cannot be forged by a header, so everything that matters is named so:
 * REQUEST_METHOD, REQUEST_URI (raw, as the client sent it), CONTENT_LENGTH, CONTENT_TYPE, REMOTE_ADDR,
 * BERTH_REQUEST_ID, BERTH_BODY_FILE (the spooled body) and BERTH_PRECHECK ("may this body come in?").
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_POST, METHOD_PATCH, METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER };

/* request_method_text - "GET" ...; "other" for METHOD_OTHER; static text */
const char *request_method_text(enum method m);

#define REQUEST_MEASURED 64             /* as many parameters are found by the length of their name; the others more slowly */

struct request {
	char *const *params;            /* "NAME=value", NULL at the end; borrowed, as all text below, until the answer is sent */
	unsigned short name_len[REQUEST_MEASURED];      /* of the first `measured` parameters; 0 where one is no such text */
	size_t measured;
	enum method method;
	const char *method_text;
	const char *id;                 /* "" where the server gave none */
	const char *remote;
	const char *body_file;          /* NULL: the body, if any, comes in the stream */
	bool precheck;
	bool length_known;              /* false: CONTENT_LENGTH is missing or empty (chunked coding, not read yet) */
	uint64_t length;                /* bytes; 0 where unknown */
	struct str path;                /* decoded once; holds no NUL, no control byte, no dot segment */
	const char *query;              /* raw, without '?'; "" where there is none */
};

#define REQUEST_INIT { .path = STR_INIT }

/*
 * request_init - read the parameters
 * NAME_INVALID 400 where the path is not one (api.md, "Grammar"); SIZE_INVALID 400 where CONTENT_LENGTH is no number.
 * What is needed to answer and to log is set even then.
 */
int request_init(struct request *rq, char *const *params, struct err *e);
void request_release(struct request *rq);

/* request_param - the first parameter of that name, or NULL; borrowed */
const char *request_param(const struct request *rq, const char *name);

/*
 * request_header - all values of a header, joined by ", ", in the order they came
 * name  as the gateway interface spells it: "HTTP_IF_NONE_MATCH". Returns whether there is one. A web server passes a
 * repeated header as a repeated parameter.
 */
bool request_header(const struct request *rq, const char *name, struct str *out);

/* request_wipe - overwrite every parameter of that name, of which nobody shall find a copy in memory later; whether there was one */
bool request_wipe(const struct request *rq, const char *name);

/*
 * request_query - the decoded value of a query parameter, the first of that name
 * Returns 1 found, 0 absent, -1 where it is not form-encoded or holds a NUL.
 */
int request_query(const struct request *rq, const char *key, struct str *out);

/*
 * request_query_each - the decoded values of all query parameters of that name, in their order
 * visit  returns 0 to go on, anything else to stop; that is then what request_query_each returns
 * Returns -1 where one is not form-encoded or holds a NUL, without a visit for it.
 */
int request_query_each(const struct request *rq, const char *key, int (*visit)(void *arg, const struct str *value),
		       void *arg);

/* request_digest - parse a digest that a client sent, of len bytes; DIGEST_INVALID 400 where the text is none or names an unknown algorithm */
int request_digest(struct digest *d, const char *s, size_t len, struct err *e);

#endif
