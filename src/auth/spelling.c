/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spelling: lists the spellings of a text.
 *
 * Owns the copies, which are wiped. Knows no file and no hash.
 */
#include "auth/spelling.h"

#include <string.h>

#include "base/compose.h"

/* Counts the text behind the last one if it differs from all others. */
static void keep_new(struct spellings *s)
{
	const struct str *t = &s->v[s->count];
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->v[i].len == t->len && memcmp(s->v[i].buf, t->buf, t->len) == 0)
			break;
	if (i == s->count)
		s->count++;
	else
		str_reset(&s->v[s->count]);
}

static bool is_ascii(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] > 0x7f)
			return false;
	return true;
}

void spellings_init(struct spellings *s, const char *text, size_t len)
{
	cleanup_str struct str composed = STR_SECRET;
	size_t i;

	for (i = 0; i < SPELLINGS_MAX; i++)
		s->v[i] = (struct str)STR_SECRET;
	str_add(&s->v[0], text, len);
	s->count = 1;
	if (is_ascii(text, len))
		return;
	if (!compose_is_utf8(text, len)) {
		compose_from_latin1(&s->v[1], text, len);
		keep_new(s);
		return;
	}
	compose_add(&composed, text, len);
	str_add(&s->v[1], composed.buf, composed.len);
	keep_new(s);
	if (compose_to_latin1(&s->v[s->count], composed.buf, composed.len) == 0)
		keep_new(s);
}

void spellings_release(struct spellings *s)
{
	size_t i;

	for (i = 0; i < SPELLINGS_MAX; i++)
		str_release(&s->v[i]);
}
