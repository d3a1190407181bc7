/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern: checking and matching.
 *
 * Owns nothing. Both loops remember only the last star: it can match all that an earlier star could still match, so there is
 * no backtracking to earlier ones.
 */
#include "base/pattern.h"

#include <string.h>

#include "base/ref.h"

struct slice {
	const char *s;
	size_t len;
};

/* Moves the first component from *rest to *component; false if there is none left. */
static bool next_component(struct slice *rest, struct slice *component)
{
	const char *slash;

	if (!rest->s)
		return false;
	slash = memchr(rest->s, '/', rest->len);
	component->s = rest->s;
	component->len = slash ? (size_t)(slash - rest->s) : rest->len;
	rest->len -= component->len + (slash != NULL);
	rest->s = slash ? slash + 1 : NULL;
	return true;
}

static bool is_stars(struct slice c)
{
	return c.len == 2 && memcmp(c.s, "**", 2) == 0;
}

const char *pattern_fault(const char *pattern)
{
	struct slice rest = { pattern, strlen(pattern) }, c;

	if (rest.len == 0)
		return "is empty; \"**\" matches every repository";
	if (rest.len > NAME_MAX_LEN)
		return "is longer than a repository name may be";
	while (next_component(&rest, &c)) {
		if (c.len == 0)
			return "has an empty component; a slash must be between two components";
		if (!is_stars(c) && memmem(c.s, c.len, "**", 2))
			return "has \"**\" beside other text; it must be a component of its own";
		for (size_t i = 0; i < c.len; i++)
			if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-*", c.s[i]))
				return "has a character that a repository name cannot have";
	}
	return NULL;
}

static bool match_component(struct slice p, struct slice name)
{
	size_t i = 0, j = 0, star = p.len, from = 0;

	while (j < name.len) {
		if (i < p.len && p.s[i] == '*') {
			star = i++;
			from = j;
		} else if (i < p.len && p.s[i] == name.s[j]) {
			i++;
			j++;
		} else if (star < p.len) {
			i = star + 1;
			j = ++from;
		} else {
			return false;
		}
	}
	while (i < p.len && p.s[i] == '*')
		i++;
	return i == p.len;
}

bool pattern_match(const char *pattern, const char *name, size_t len)
{
	struct slice p = { pattern, strlen(pattern) }, n = { name, len };
	struct slice after_stars = { NULL, 0 }, from = { NULL, 0 }, pc, nc;
	bool starred = false;

	while (n.s) {
		struct slice p_next = p, n_next = n;

		next_component(&n_next, &nc);
		if (next_component(&p_next, &pc) && is_stars(pc)) {
			if (!p_next.s)
				return true;    /* the last component: it matches what is left, at least one component */
			starred = true;
			after_stars = p = p_next;
			from = n;
		} else if (p.s && match_component(pc, nc)) {
			p = p_next;
			n = n_next;
		} else if (starred) {
			next_component(&from, &nc);
			p = after_stars;
			n = from;
		} else {
			return false;
		}
	}
	return !p.s;
}

size_t pattern_head(const char *pattern)
{
	return strcspn(pattern, "*");
}

bool pattern_is_all(const char *pattern)
{
	return strcmp(pattern, "**") == 0;
}
