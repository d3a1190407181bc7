/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PATTERN_H
#define BERTH_BASE_PATTERN_H

/*
 * pattern: a set of repository names, as rules write it.
 *
 * A pattern consists of components with '/' between them. In a component, '*' matches any text, also none: "app-*". The
 * component "*" matches exactly one component. The component "**" matches any number of components, also none; but at the end
 * of a longer pattern it matches at least one: "**" after "team/" matches what is below "team", and not "team" itself. The
 * pattern "**" matches every repository.
 */

#include <stdbool.h>
#include <stddef.h>

/* pattern_fault - what is wrong with a pattern, as the end of "the pattern ...": static text; NULL if it is valid */
const char *pattern_fault(const char *pattern);

/*
 * pattern_match - whether the pattern, which must be valid, matches [name, name+len)
 * The time is bounded by the product of the two lengths.
 */
bool pattern_match(const char *pattern, const char *name, size_t len);

/*
 * pattern_covers - whether all that `inner` matches is known to be matched by `outer` as well
 * Both are valid. False does not mean that they differ.
 */
bool pattern_covers(const char *outer, const char *inner);

/* pattern_head - the length of the text before the first star, with which every matching name begins; without a star, the whole length */
size_t pattern_head(const char *pattern);

/* pattern_is_all - whether the pattern is "**", which matches every repository */
bool pattern_is_all(const char *pattern);

#endif
