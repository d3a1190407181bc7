/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecr_others: all tags that some patterns do not match, as patterns.
 *
 * Owns nothing. A tag that no pattern matches leaves them somewhere: at the longest beginning that it shares with one of them. So each
 * beginning of a pattern gives the tag that ends there, and those that go on with a character that no pattern has there. A part of `ecr`.
 */
#include "conf/ecr.h"

#include <stdbool.h>
#include <string.h>

#include "os/dir.h"

/* The length of a pattern without its star; SIZE_MAX: it is of another form. */
static size_t text_len(const char *pattern)
{
	size_t len = strcspn(pattern, "*?[");

	return pattern[len] && strcmp(pattern + len, "*") != 0 ? SIZE_MAX : len;
}

static bool is_starred(const char *pattern)
{
	return strchr(pattern, '*') != NULL;
}

static void add(struct names *out, const char *head, size_t len, const char *tail)
{
	cleanup_str struct str s = STR_INIT;

	str_add(&s, head, len);
	str_puts(&s, tail);
	names_add(out, s.buf, s.len);
}

/* What the patterns make of the text [s, s+len), with which one of them begins. */
struct beginning {
	bool matched;           /* a pattern with a star matches all that begins so */
	bool whole;             /* a pattern is that text */
	char next[256];         /* the characters that some pattern has behind it; '-' comes last, so that it is no range */
};

static void look(const struct names *of, const char *s, size_t len, struct beginning *b)
{
	bool has[256] = { false };
	size_t n = 0;

	*b = (struct beginning){ .matched = false };
	for (size_t i = 0; i < of->count; i++) {
		const char *p = of->v[i];
		size_t plen = text_len(p);

		if (plen <= len && is_starred(p) && memcmp(p, s, plen) == 0)
			b->matched = true;
		if (plen == len && memcmp(p, s, len) == 0)
			b->whole = true;
		if (plen > len && memcmp(p, s, len) == 0)
			has[(unsigned char)p[len]] = true;
	}
	for (unsigned c = 1; c < 256; c++)
		if (has[c] && c != '-')
			b->next[n++] = (char)c;
	if (has['-'])
		b->next[n++] = '-';
}

static void add_beginning(const struct names *of, const char *s, size_t len, struct names *out)
{
	cleanup_str struct str tail = STR_INIT;
	struct beginning b;

	look(of, s, len, &b);
	if (b.matched)
		return;
	if (len && !b.whole)
		add(out, s, len, "");
	if (b.next[0])
		str_addf(&tail, "[!%s]*", b.next);
	else
		str_puts(&tail, "?*");
	add(out, s, len, tail.buf);
}

/* Whether an earlier pattern begins in the same way. */
static bool is_done(const struct names *of, size_t i, size_t len)
{
	for (size_t j = 0; j < i; j++)
		if (text_len(of->v[j]) >= len && memcmp(of->v[j], of->v[i], len) == 0)
			return true;
	return false;
}

int ecr_others(const struct names *of, size_t max, struct names *out)
{
	cleanup_names struct names all = NAMES_INIT;

	for (size_t i = 0; i < of->count; i++)
		if (text_len(of->v[i]) == SIZE_MAX)
			return -1;
	for (size_t i = 0; i < of->count; i++)
		for (size_t len = 0; len <= text_len(of->v[i]) && all.count <= max; len++)
			if (!is_done(of, i, len))
				add_beginning(of, of->v[i], len, &all);
	if (all.count > max)
		return -1;
	for (size_t i = 0; i < all.count; i++)
		names_add(out, all.v[i], strlen(all.v[i]));
	return 0;
}
