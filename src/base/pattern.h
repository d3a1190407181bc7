/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PATTERN_H
#define BERTH_BASE_PATTERN_H

/*
 * pattern: which repositories are meant, as rules write it.
 *
 * A pattern is components with '/' between them. In a component '*' stands for any text, none too: "app-*". A component
 * that is "*" is any one component. A component that is "**" is any number of components, none too; as the last of
 * several at least one: behind "team" and a slash it is what lies below "team", not "team" itself. "**" alone is every
 * repository.
 */

#include <stdbool.h>
#include <stddef.h>

/* pattern_fault - what is wrong with a pattern, as the end of "the pattern ...": static text; NULL where nothing is */
const char *pattern_fault(const char *pattern);

/*
 * pattern_match - whether [name, name+len) is meant
 * pattern  one without a fault
 * The time is bounded by the product of the two lengths, whatever they hold.
 */
bool pattern_match(const char *pattern, const char *name, size_t len);

/* pattern_head - of how many bytes is the text with which every name begins that is meant: all of the pattern, without a star */
size_t pattern_head(const char *pattern);

/* pattern_is_all - whether every repository is meant: "**" and nothing else */
bool pattern_is_all(const char *pattern);

#endif
