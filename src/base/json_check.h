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

#define JSON_MAX_DEPTH 32       /* arrays and objects inside each other; 32 pass, 33 do not */
#define JSON_MAX_VALUES 50000   /* every value counts: objects, arrays, strings, numbers, literals; keys do not */

struct json_fault {
	const char *what;       /* static text, such as "the same key twice" */
	size_t at;              /* byte offset */
};

/* json_check - 0 where [s, s+len) is one JSON value within the limits, with nothing but white space around it; else -1 with *f */
int json_check(const char *s, size_t len, struct json_fault *f);

/*
 * json_top_string - the value of a top-level member that is a string without escapes, with no tree built
 *
 * For the hot path, where a stored manifest is served and only its mediaType is wanted. Gives a slice of [s, s+len):
 * borrowed. Returns 1 found, 0 no such member (or of another type: *val is NULL and *vlen 0 then),
 * -1 where the text is not an object or breaks off. Does not check the rest of the text as json_check does; depth is
 * not limited by a stack.
 */
int json_top_string(const char *s, size_t len, const char *key, const char **val, size_t *vlen);

/* json_top_raw - likewise the text of the value itself, of whatever type and as it is written (a string with its quotes) */
int json_top_raw(const char *s, size_t len, const char *key, const char **val, size_t *vlen);

/* json_top_has - 1 where the top-level object has such a member of any type but null, 0 where not, -1 as above */
int json_top_has(const char *s, size_t len, const char *key);

#endif
