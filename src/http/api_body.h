/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_API_BODY_H
#define BERTH_HTTP_API_BODY_H

/* api_body: bodies of requests that are JSON objects. What is not known is refused: a member that is misspelt may have been meant to limit. */

#include <stddef.h>
#include "base/err.h"
#include "base/json_view.h"
#include "base/str.h"
#include "http/exchange.h"

/* A member: 0, or -1 with *e. */
typedef int api_member(void *arg, const char *key, struct json_view v, struct err *e);

/*
 * api_body    - read the body, at most max bytes, and visit its members; `body` has to live as long as the views
 * api_members - visit the members of an object; what: its name in an error
 * api_text    - add a string without NUL, of 1 to max bytes
 * UNSUPPORTED 400; SIZE_INVALID 413 for a longer body.
 */
int api_body(struct exchange *x, size_t max, struct str *body, api_member *visit, void *arg, struct err *e);
int api_members(struct json_view object, const char *what, api_member *visit, void *arg, struct err *e);
int api_text(struct json_view v, const char *what, size_t max, struct str *out, struct err *e);

#endif
