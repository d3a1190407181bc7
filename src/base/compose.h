/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_COMPOSE_H
#define BERTH_BASE_COMPOSE_H

/* compose: the spellings of one text, for comparing a name or a password that was typed on another system. */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

/* compose_is_utf8 - whether the bytes are well-formed UTF-8 */
bool compose_is_utf8(const char *s, size_t len);

/*
 * compose_add - add a text in UTF-8 to out, with each letter and the marks behind it as one character where there is one
 *
 * This is Unicode's normal form C of texts in form D, for letters that are Latin, Greek or Cyrillic; other texts stay as
 * they are. s is well-formed (compose_is_utf8).
 */
void compose_add(struct str *out, const char *s, size_t len);

/* compose_from_latin1 - add the bytes of a text in Latin-1 to out, as UTF-8 */
void compose_from_latin1(struct str *out, const char *s, size_t len);

/* compose_to_latin1 - add a text in UTF-8 to out, as Latin-1; -1 if Latin-1 lacks one of its characters: out then has a part of it */
int compose_to_latin1(struct str *out, const char *s, size_t len);

#endif
