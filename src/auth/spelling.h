/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_SPELLING_H
#define BERTH_AUTH_SPELLING_H

/*
 * spelling: the bytes that a client may have meant by those of a name or a password (RFC 7617, 2.1).
 *
 * The challenge asks for UTF-8, but curl sends what its terminal gives, some browsers send Latin-1, and some systems write a
 * letter and its mark as two characters. A file of users may have been written on any of them.
 */

#include <stddef.h>
#include "base/str.h"

#define SPELLINGS_MAX 3

struct spellings {
	struct str v[SPELLINGS_MAX];    /* secret; the first is what was sent */
	size_t count;
};

/*
 * spellings_init - find the spellings of a text: as it was sent; in UTF-8 and composed; in Latin-1
 * Text that is ASCII has one. The number depends on the text alone, not on who sends it.
 */
void spellings_init(struct spellings *s, const char *text, size_t len);
void spellings_release(struct spellings *s);
#define cleanup_spellings __attribute__((cleanup(spellings_release)))

#endif
