/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref: names, tags, upload ids and references, validated.
 *
 * Owns the grammars (doc/API.md, "Grammar"). Invariant: a text that a parse function accepted is NUL-terminated and bounded,
 * and has only bytes of its grammar; on failure the output is empty.
 */

#include <stdbool.h>
#include <string.h>
#include "base/ref.h"

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The length of a separator at s: one dot, one or two underscores, any number of dashes; 0 if there is none. */
static size_t separator_len(const char *s, size_t len)
{
	size_t n = 0;

	if (s[0] == '.')
		return 1;
	if (s[0] == '_')
		return len > 1 && s[1] == '_' ? 2 : 1;
	while (n < len && s[n] == '-')
		n++;
	return n;
}

int name_component_ok(const char *s, size_t len)
{
	size_t i = 0;

	/* runs of letters and digits, with exactly one separator between two of them */
	for (;;) {
		size_t start = i;

		while (i < len && lower_alnum(s[i]))
			i++;
		if (i == start)
			return 0;
		if (i == len)
			return 1;
		start = i;
		i += separator_len(s + i, len - i);
		if (i == start)
			return 0;
	}
}

int name_parse(struct name *n, const char *s, size_t len)
{
	size_t start = 0, i;

	n->len = 0;
	n->s[0] = '\0';
	if (len > NAME_MAX_LEN)
		return -1;
	for (i = 0; i <= len; i++) {
		if (i < len && s[i] != '/')
			continue;
		if (!name_component_ok(s + start, i - start))
			return -1;
		start = i + 1;
	}
	memcpy(n->s, s, len);
	n->s[len] = '\0';
	n->len = len;
	return 0;
}

int tag_parse(struct tag *t, const char *s, size_t len)
{
	size_t i;

	t->len = 0;
	t->s[0] = '\0';
	if (!len || len > TAG_MAX_LEN)
		return -1;
	for (i = 0; i < len; i++) {
		char c = s[i];
		bool word = lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';

		if (!word && (i == 0 || (c != '.' && c != '-')))
			return -1;
	}
	memcpy(t->s, s, len);
	t->s[len] = '\0';
	t->len = len;
	return 0;
}

int uuid_parse(struct uuid *u, const char *s, size_t len)
{
	size_t i;

	u->s[0] = '\0';
	if (len != UUID_LEN)
		return -1;
	for (i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');

		if (dash ? s[i] != '-' : !hex)
			return -1;
	}
	memcpy(u->s, s, len);
	u->s[len] = '\0';
	return 0;
}

int ref_parse(struct ref *r, const char *s, size_t len, enum ref_kind *meant)
{
	enum ref_kind kind = len && memchr(s, ':', len) ? REF_DIGEST : REF_TAG;

	r->kind = kind;
	if (meant)
		*meant = kind;
	return kind == REF_DIGEST ? digest_parse(&r->digest, s, len) : tag_parse(&r->tag, s, len);
}

const char *ref_text(const struct ref *r)
{
	return r->kind == REF_DIGEST ? r->digest.text : r->tag.s;
}

void uuid_from_random(struct uuid *u, const unsigned char bytes[16])
{
	static const char hex[] = "0123456789abcdef";
	char *p = u->s;
	int i;

	for (i = 0; i < 16; i++) {
		unsigned char b = bytes[i];

		if (i == 6)
			b = (unsigned char)((b & 0x0f) | 0x40);         /* version 4 */
		if (i == 8)
			b = (unsigned char)((b & 0x3f) | 0x80);         /* variant of RFC 9562 */
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[b >> 4];
		*p++ = hex[b & 15];
	}
	*p = '\0';
}
