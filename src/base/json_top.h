/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_TOP_H
#define BERTH_BASE_JSON_TOP_H

/*
 * json_top: single members of the outermost object of a JSON text, with no tree built.
 *
 * For the hot path, where a stored manifest is served and only its mediaType is needed.
 */

#include <stddef.h>

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
