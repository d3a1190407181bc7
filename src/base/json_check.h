/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_CHECK_H
#define BERTH_BASE_JSON_CHECK_H

/*
 * json_check: whether bytes are JSON that every reader understands alike (RFC 8259), before they are read.
 *
 * json-c accepts more than JSON and loses part of it: of equal keys it keeps the last, it cuts a key at NUL, and it accepts
 * NaN, raw control characters and overlong UTF-8. Two readers could then see two manifests behind one digest. This scan
 * refuses all of that, and limits the depth. It allocates memory only for the keys of the open objects, at most six times the
 * length of the text. json_view reads the text in place; a tree of json-c needs a hundred times the memory of its text, so for
 * one the values are limited, too.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define JSON_MAX_DEPTH 32       /* arrays and objects inside each other: 32 are accepted, 33 are not */
#define JSON_MAX_VALUES 50000   /* for a tree: every value counts: objects, arrays, strings, numbers, literals; keys do not */

struct json_fault {
	const char *what;       /* static text, such as "the same key twice" */
	size_t at;              /* byte offset */
};

/* json_check - 0 if [s, s+len) is one JSON value within the limits, with only white space around it; else -1 with *f */
int json_check(const char *s, size_t len, struct json_fault *f);

/* json_check_few - the same, and there are at most JSON_MAX_VALUES values */
int json_check_few(const char *s, size_t len, struct json_fault *f);

/*
 * json_unescape - decode the escape whose backslash is at s[*i]; *i moves behind it
 * out  gets the character as UTF-8; may be NULL
 * Returns the character, or -1 if the escape is invalid or half a surrogate pair; *i is then undefined.
 */
int32_t json_unescape(const char *s, size_t len, size_t *i, struct str *out);

#endif
