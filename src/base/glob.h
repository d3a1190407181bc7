/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_GLOB_H
#define BERTH_BASE_GLOB_H

/*
 * glob: a set of tags, as rules write it.
 *
 * As in a shell: '*' is any text, also none; '?' is one character; "[a-z]" is one of these, "[!a-z]" or "[^a-z]" one that is none
 * of these. The meaning is that of fnmatch(3) without flags in the C locale, for the patterns that are valid here.
 */

#include <stdbool.h>
#include <stddef.h>

#define GLOB_MAX 255            /* bytes of a pattern */

/* glob_fault - what is wrong with a pattern, as the end of "the pattern ...": static text; NULL if it is valid */
const char *glob_fault(const char *pattern);

/*
 * glob_match - whether the pattern, which must be valid, matches the whole text
 * The time is bounded by the product of the two lengths.
 */
bool glob_match(const char *pattern, const char *text);

/* glob_is_all - whether the pattern is of stars alone, and so matches every text */
bool glob_is_all(const char *pattern);

/*
 * glob_covers - whether all that `inner` matches is known to be matched by `outer` as well
 * Both are valid. False does not mean that they differ: where brackets decide, it is not always found out.
 */
bool glob_covers(const char *outer, const char *inner);

#endif
