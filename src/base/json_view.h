/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_VIEW_H
#define BERTH_BASE_JSON_VIEW_H

/*
 * json_view: values of a JSON text, read in place.
 *
 * The text has passed json_check(): so a walk needs no stack, no tree and no errors, and memory only for a string that is
 * decoded. A walk over an object or a list reads each value once to find its end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT };

struct json_view {
	enum json_kind kind;
	const char *s;          /* the text of the value, borrowed: a string has its quotes; NULL: JSON_ABSENT */
	size_t len;
};

/* json_view_of - the value that [s, s+len), which has passed json_check(), consists of */
struct json_view json_view_of(const char *s, size_t len);

/* A walk over the members of an object, or the entries of a list. */
struct json_walk {
	const char *p, *end;
	bool object;
};

/* json_walk - begin; of another kind of value there is nothing to walk over */
struct json_walk json_walk(struct json_view of);

/* json_walk_next - the next value, and its key, a string, if it is a member; false at the end. key may be NULL. */
bool json_walk_next(struct json_walk *w, struct json_view *key, struct json_view *val);

/* json_view_get - the member of an object; JSON_ABSENT if there is none, if it is null, or if o is no object */
struct json_view json_view_get(struct json_view o, const char *key);

/* json_view_text - add the decoded text of a string to out. It may have a NUL. */
void json_view_text(struct json_view string, struct str *out);

/* json_view_is - whether it is a string of this text */
bool json_view_is(struct json_view v, const char *text);

/* json_view_u64 - read an integer >= 0, written without '.' or 'e', below UINT64_MAX: 0, or -1 if v is no such number */
int json_view_u64(struct json_view v, uint64_t *out);

#endif
