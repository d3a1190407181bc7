/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_CHECK_H
#define BERTH_BASE_JSON_CHECK_H

/*
 * json_check: whether bytes are JSON that every reader understands alike (RFC 8259), before any tree is built.
 *
 * json-c takes more than JSON and loses what it cannot keep: the same key twice (the last wins), NUL in a key (cuts
 * it), NaN, raw control characters, overlong UTF-8. Two readers could then see two manifests behind one digest.
 * This scan refuses all of that, and it counts values and depth, since a tree costs a hundred times its text.
 * It allocates at most in proportion to the keys of the objects that are open, and is bounded by the limits.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define JSON_MAX_DEPTH 32       /* arrays and objects inside each other; 32 pass, 33 do not */
#define JSON_MAX_VALUES 50000   /* every value counts: objects, arrays, strings, numbers, literals; keys do not */

struct json_fault {
	const char *what;       /* static text, such as "the same key twice" */
	size_t at;              /* byte offset */
};

/* json_check - 0 where [s, s+len) is one JSON value within the limits, with nothing but white space around it; else -1 with *f */
int json_check(const char *s, size_t len, struct json_fault *f);

/*
 * json_unescape - the character of the escape whose backslash is at s[*i]; *i moves behind it
 * out  gets the character as UTF-8; NULL: it is not needed
 * Returns the character, or -1 where there is no valid escape: half a surrogate pair is none. *i is then undefined.
 */
int32_t json_unescape(const char *s, size_t len, size_t *i, struct str *out);

#endif
