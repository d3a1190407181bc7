/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_PUT_H
#define BERTH_BASE_JSON_PUT_H

/*
 * json_put: JSON for programs, member by member, with content from outside in it: escaped, bounded, always valid.
 *
 * Each function adds a comma before, unless the text ends with a bracket or a colon. key NULL: an entry of a list.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/json_view.h"
#include "base/str.h"

/* json_put_key - the comma, and "key": */
void json_put_key(struct str *out, const char *key);

/* json_put_text - at most max bytes of the text, whole characters, and then "…" */
void json_put_text(struct str *out, const char *key, const char *s, size_t len, size_t max);

/* json_put_word - a whole text, ended by NUL, that the caller has bounded */
void json_put_word(struct str *out, const char *key, const char *s);

/* json_put_view - the same as json_put_text of a string of a JSON text; nothing for another kind of value */
void json_put_view(struct str *out, const char *key, struct json_view v, size_t max);

void json_put_u64(struct str *out, const char *key, uint64_t v);
void json_put_bool(struct str *out, const char *key, int v);

/* json_put_time - seconds since the epoch, as RFC 3339; nothing for a year that this can't write */
void json_put_time(struct str *out, const char *key, int64_t seconds);

#endif
