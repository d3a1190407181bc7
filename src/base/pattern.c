/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern: checking and matching.
 *
 * Owns nothing. Both loops remember only the last star: it can match all that an earlier star could still match, so there is
 * no backtracking to earlier ones.
 */
#include "base/pattern.h"

#include <string.h>

#include "base/glob.h"
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

/* The components of a pattern, in a copy of it. */
struct components {
	char text[NAME_MAX_LEN + 1];
	const char *v[NAME_MAX_LEN / 2 + 1];
	size_t count;
};

static void split(struct components *c, const char *pattern)
{
	char *rest = c->text, *one;

	c->count = 0;
	memcpy(c->text, pattern, strlen(pattern) + 1);
	while ((one = strsep(&rest, "/")) != NULL)
		c->v[c->count++] = one;
}

/*
 * next[j]: whether the components of outer from i + 1 on match all that those of inner from j on match. A component that is "**" takes
 * nothing, or the next one of inner, whatever that is; as the last one it takes all that is left.
 */
bool pattern_covers(const char *outer, const char *inner)
{
	static const char any[] = "**";
	struct components o, p;
	bool next[NAME_MAX_LEN / 2 + 2], now[NAME_MAX_LEN / 2 + 2];

	split(&o, outer);
	split(&p, inner);
	for (size_t j = 0; j <= p.count; j++)
		next[j] = j == p.count;
	for (size_t i = o.count; i-- > 0; memcpy(next, now, sizeof(next))) {
		bool stars = strcmp(o.v[i], any) == 0;

		now[p.count] = false;
		for (size_t j = p.count; j-- > 0;)
			if (stars && i + 1 == o.count)
				now[j] = true;
			else if (stars)
				now[j] = next[j] || now[j + 1];
			else
				now[j] = next[j + 1] && strcmp(p.v[j], any) != 0 && glob_covers(o.v[i], p.v[j]);
	}
	return next[0];
}

size_t pattern_head(const char *pattern)
{
	return strcspn(pattern, "*");
}

bool pattern_is_all(const char *pattern)
{
	return strcmp(pattern, "**") == 0;
}
