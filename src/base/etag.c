/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etag: lists of entity tags.
 *
 * Owns nothing and allocates nothing.
 */
#include "base/etag.h"

#include <string.h>

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Whether the tag at *s, which is not a blank or comma, names d; *s moves behind it. */
static bool next_matches(const char **s, const struct digest *d)
{
	const char *tag = *s;
	size_t len;

	if (tag[0] == 'W' && tag[1] == '/')
		tag += 2;
	if (*tag == '"') {
		tag++;
		len = strcspn(tag, "\"");
		*s = tag + len;
		if (!**s)               /* no closing quote */
			return false;
		(*s)++;
		if (*skip_blanks(*s) != ',' && *skip_blanks(*s) != '\0')
			return false;
	} else {
		len = strcspn(tag, ", \t");
		*s = tag + len;
	}
	return len == strlen(d->text) && memcmp(tag, d->text, len) == 0;
}

bool etag_matches(const char *header, const struct digest *d)
{
	const char *s;

	if (!header)
		return false;
	s = skip_blanks(header);
	if (*s == '*' && !*skip_blanks(s + 1))
		return true;
	for (;;) {
		s += strspn(s, ", \t");
		if (!*s)
			return false;
		if (next_matches(&s, d))
			return true;
	}
}
