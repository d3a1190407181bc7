/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_TOP_H
#define BERTH_BASE_JSON_TOP_H

/*
 * json_top: single members of the outermost object of a JSON text, without building a tree.
 *
 * For the hot path, which serves a stored manifest and needs only its mediaType.
 */

#include <stddef.h>

/*
 * json_top_string - the value of a member that is a string without escapes
 *
 * *val is a slice of [s, s+len), borrowed; it is NULL, and *vlen 0, unless the result is 1. Returns 1 found, 0 no such member
 * or one of another type, -1 if the text is not an object or ends too early. It does not check the rest of the text, and does
 * not limit its depth.
 */
int json_top_string(const char *s, size_t len, const char *key, const char **val, size_t *vlen);

/* json_top_raw - the same for a value of any type, as it is written: a string includes its quotes */
int json_top_raw(const char *s, size_t len, const char *key, const char **val, size_t *vlen);

/* json_top_has - 1 if the object has such a member that is not null, 0 if not, -1 as above */
int json_top_has(const char *s, size_t len, const char *key);

#endif
