/* SPDX-License-Identifier: Apache-2.0 */
/*
 * right: the table of words.
 *
 * Owns nothing.
 */
#include "conf/right.h"

#include <string.h>

#include "base/mem.h"

static const struct {
	const char *word;
	enum right right;
} words[] = { { "pull", RIGHT_PULL }, { "push", RIGHT_PUSH }, { "delete", RIGHT_DELETE }, { "admin", RIGHT_ADMIN } };

int right_parse(const char *word, enum right *right)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		*right = words[i].right;
		return 0;
	}
	return -1;
}

int right_add(const char *word, unsigned *may)
{
	enum right right;

	if (right_parse(word, &right) < 0)
		return -1;
	*may |= (unsigned)right | (right == RIGHT_PUSH ? RIGHT_PULL : 0);
	return 0;
}

const char *right_name(enum right right)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].right == right)
			return words[i].word;
	return "nothing";
}

void right_list(unsigned may, const char *quote, const char *comma, struct str *out)
{
	const char *between = "";

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!(may & (unsigned)words[i].right))
			continue;
		str_addf(out, "%s%s%s%s", between, quote, words[i].word, quote);
		between = comma;
	}
}
