/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob: checking and matching of patterns of tags.
 *
 * Owns nothing. fnmatch(3) is not used: for some patterns with many stars its time grows with a power of the length of the text, which
 * is a client's. Here only the last star is remembered: it can match all that an earlier star could still match.
 */
#include "base/glob.h"

#include <string.h>

#define TAG_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* What a bracket lists, from behind the '[': where its first member is, whether it excludes them, and where its ']' is, NULL without one. */
struct bracket {
	const char *first, *end;
	bool excludes;
};

static struct bracket bracket_of(const char *s)
{
	struct bracket b = { .excludes = *s == '!' || *s == '^' };

	b.first = s + b.excludes;
	b.end = *b.first ? strchr(b.first + 1, ']') : NULL;     /* a ']' that comes first is a member */
	return b;
}

/* The length of the member of a bracket at s: a character, or a range of three. */
static size_t member_len(const char *s, const char *end)
{
	return end - s >= 3 && s[1] == '-' ? 3 : 1;
}

static const char *bracket_fault(struct bracket b)
{
	for (const char *s = b.first; s < b.end; s += member_len(s, b.end)) {
		size_t len = member_len(s, b.end);

		if (!strchr(TAG_CHARS, *s) || !strchr(TAG_CHARS, s[len - 1]))
			return "has a character between [ and ] that a tag cannot have";
		if ((unsigned char)*s > (unsigned char)s[len - 1])
			return "has a range between [ and ] that ends before it begins";
	}
	return NULL;
}

const char *glob_fault(const char *pattern)
{
	const char *why;

	if (!*pattern)
		return "is empty; \"*\" matches every tag";
	if (strlen(pattern) > GLOB_MAX)
		return "is longer than 255 bytes";
	for (const char *p = pattern; *p; p++) {
		if (*p == '[') {
			struct bracket b = bracket_of(p + 1);

			if (!b.end)
				return "has a [ without ]";
			if ((why = bracket_fault(b)) != NULL)
				return why;
			p = b.end;
		} else if (!strchr(TAG_CHARS "*?", *p)) {
			return "has a character that a tag cannot have";
		}
	}
	return NULL;
}

/* Whether the element of a pattern at p, which is no star, matches the character; *next: what follows the element. */
static bool match_one(const char *p, char c, const char **next)
{
	struct bracket b;
	bool listed = false;

	*next = p + 1;
	if (*p != '[')
		return *p == '?' || *p == c;
	b = bracket_of(p + 1);
	*next = b.end + 1;
	for (const char *s = b.first; s < b.end; s += member_len(s, b.end))
		listed |= (unsigned char)c >= (unsigned char)*s && (unsigned char)c <= (unsigned char)s[member_len(s, b.end) - 1];
	return listed != b.excludes;
}

bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL, *next;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern && match_one(pattern, *text, &next)) {
			pattern = next;
			text++;
		} else if (star) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	return !pattern[strspn(pattern, "*")];
}

bool glob_is_all(const char *pattern)
{
	return *pattern && strspn(pattern, "*") == strlen(pattern);
}

/* Whether each character that the element at inner matches is matched by the one at outer; neither is a star. */
static bool covers_one(const char *outer, const char *inner, const char **outer_next, const char **inner_next)
{
	bool covered = true;

	match_one(outer, 'a', outer_next);
	match_one(inner, 'a', inner_next);
	for (const char *c = TAG_CHARS; covered && *c; c++)
		covered = !match_one(inner, *c, inner_next) || match_one(outer, *c, outer_next);
	return covered;
}

/*
 * The same walk as in glob_match(), over the elements of inner in place of characters: a star of inner is covered only by a star of
 * outer.
 */
bool glob_covers(const char *outer, const char *inner)
{
	const char *star = NULL, *from = NULL, *outer_next, *inner_next;

	while (*inner) {
		if (*outer == '*') {
			star = ++outer;
			from = inner;
		} else if (*outer && *inner != '*' && covers_one(outer, inner, &outer_next, &inner_next)) {
			outer = outer_next;
			inner = inner_next;
		} else if (star) {
			if (*from == '[')
				from = bracket_of(from + 1).end;
			inner = ++from;
			outer = star;
		} else {
			return false;
		}
	}
	return !outer[strspn(outer, "*")];
}
