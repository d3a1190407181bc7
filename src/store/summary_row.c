/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_row: a row as text, and the order of rows.
 *
 * Owns no state. Invariant: a row that was torn by a power cut, so that it has zeros, is none.
 */
#include <inttypes.h>
#include <string.h>

#include "store/summary_own.h"

#define COUNT_MAX 1000000

int summary_cmp_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

int summary_cmp(enum summary_order by, const struct summary_row *a, const struct summary_row *b)
{
	if (by == SUMMARY_BY_PUSH && a->pushed != b->pushed)
		return a->pushed < b->pushed ? -1 : 1;
	return summary_cmp_text(a->key, a->key_len, b->key, b->key_len);
}

void summary_add_row(struct str *out, const struct summary_row *row)
{
	str_addf(out, "%016" PRIx64 " ", row->pushed);
	str_add(out, row->key, row->key_len);
	str_addc(out, ' ');
	str_add(out, row->digest, row->digest_len);
	for (size_t i = 0; i < SUMMARY_COUNTS; i++)
		str_addf(out, " %u", row->counts[i]);
	str_addc(out, ' ');
	str_add(out, row->text, row->text_len);
}

/* The next word of a line, up to a blank; whether there is one. */
static bool word(const char **p, const char *end, const char **w, size_t *len)
{
	const char *blank = memchr(*p, ' ', (size_t)(end - *p));

	*w = *p;
	*len = (size_t)((blank ? blank : end) - *p);
	*p = blank ? blank + 1 : end;
	return *len > 0;
}

int summary_parse_row(const char *line, size_t len, struct summary_row *row)
{
	const char *p = line, *end = line + len, *w;
	uint64_t n;
	size_t i;

	*row = (struct summary_row){ 0 };
	if (memchr(line, '\0', len))
		return -1;
	if (!word(&p, end, &w, &i) || i != SUMMARY_HEX || str_parse_hex(w, SUMMARY_HEX, &row->pushed) < 0 ||
	    !word(&p, end, &row->key, &row->key_len) || row->key_len > SUMMARY_KEY_MAX || !word(&p, end, &row->digest, &row->digest_len))
		return -1;
	for (i = 0; i < SUMMARY_COUNTS; i++) {
		size_t digits;

		if (!word(&p, end, &w, &digits) || str_parse_u64(w, digits, &n) < 0 || n > COUNT_MAX)
			return -1;
		row->counts[i] = (unsigned)n;
	}
	row->text = p;
	row->text_len = (size_t)(end - p);
	return 0;
}
