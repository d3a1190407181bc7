/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_REQUEST_H
#define BERTH_HTTP_REQUEST_H

/*
 * request: a client's request, from the parameters of the web server, validated.
 *
 * A client's header can only set a parameter that begins with HTTP_. What berth relies on has other names:
 * REQUEST_METHOD, REQUEST_URI (raw, as the client sent it), CONTENT_LENGTH, CONTENT_TYPE, REMOTE_ADDR,
 * BERTH_REQUEST_ID, BERTH_BODY_FILE (the spooled body) and BERTH_PRECHECK (the body is not read yet: is it acceptable?).
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_POST, METHOD_PATCH, METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER };

/* request_method_text - "GET" ...; "other" for METHOD_OTHER; static text */
const char *request_method_text(enum method m);

#define REQUEST_MEASURED 64             /* the first parameters are looked up faster, by the length of their name */

struct request {
	char *const *params;            /* "NAME=value", NULL at the end; borrowed, as all text below, until the answer is sent */
	unsigned short name_len[REQUEST_MEASURED];      /* of the first `measured` parameters; 0 for a malformed one */
	size_t measured;
	enum method method;
	const char *method_text;
	const char *id;                 /* "": the web server passed none; serve makes one then */
	const char *remote;
	const char *body_file;          /* NULL: the body, if any, is in the stream */
	bool precheck;
	bool length_known;              /* false: CONTENT_LENGTH is missing or empty, as for a chunked body before it is read */
	uint64_t length;                /* bytes; 0 where unknown */
	struct str path;                /* decoded once; without control bytes and dot segments */
	size_t slashes;                 /* how many of its slashes were percent-encoded */
	size_t first_slash, last_slash; /* where the first and the last of these are in `path` */
	const char *query;              /* raw, without '?'; "" where there is none */
};

#define REQUEST_INIT { .path = STR_INIT }

/*
 * request_init - read the parameters
 * NAME_INVALID 400 where the path is invalid (doc/API.md, "Grammar"); SIZE_INVALID 400 where CONTENT_LENGTH is no number.
 * Even then everything is set that the answer and the log need, and the caller releases rq.
 */
int request_init(struct request *rq, char *const *params, struct err *e);
void request_release(struct request *rq);

/* request_param - the first parameter of that name, or NULL; borrowed */
const char *request_param(const struct request *rq, const char *name);

/*
 * request_header - all values of a header, in their order, joined by ", "
 * name  as CGI spells it: "HTTP_IF_NONE_MATCH". Returns whether there is one. A web server passes a repeated header as a
 * repeated parameter.
 */
bool request_header(const struct request *rq, const char *name, struct str *out);

/* request_wipe - overwrite the values of all parameters of that name, which are secrets; whether there was one */
bool request_wipe(const struct request *rq, const char *name);

/*
 * request_query - the decoded value of a query parameter, the first of that name
 * Returns 1 found, 0 absent, -1 where the value is not form-encoded or has a NUL.
 */
int request_query(const struct request *rq, const char *key, struct str *out);

/*
 * request_query_each - the decoded values of all query parameters of that name, in their order
 * visit  returns 0 to continue, anything else to stop: request_query_each then returns that
 * Returns -1, without a visit, at a value that is not form-encoded or has a NUL.
 */
int request_query_each(const struct request *rq, const char *key, int (*visit)(void *arg, const struct str *value),
		       void *arg);

/* request_digest - parse a client's digest of len bytes; DIGEST_INVALID 400 where it is malformed or of an unknown algorithm */
int request_digest(struct digest *d, const char *s, size_t len, struct err *e);

#endif
