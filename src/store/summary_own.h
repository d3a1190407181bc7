/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SUMMARY_OWN_H
#define BERTH_STORE_SUMMARY_OWN_H

/*
 * summary_own: what the modules of a summary share. Private to src/store/.
 *
 * summary_row: the text of a row, and the order of rows; summary_tail: what the tail says; summary: opening a file; summary_walk: its rows in order.
 */

#include "store/believed.h"
#include "store/summary.h"

#define SUMMARY_HEAD_WORD "berth-summary 1 "
#define SUMMARY_HEAD_LEN (sizeof(SUMMARY_HEAD_WORD) - 1 + BELIEVED_LEN + 4 * 17 + 1)
#define SUMMARY_HEX 16                  /* digits of a number */
#define SUMMARY_INDEX_MAX (8u << 20)    /* bytes of an index that can be right */

/* summary_cmp_text - byte order */
int summary_cmp_text(const char *a, size_t a_len, const char *b, size_t b_len);

/* summary_number - read a number that may be a length or a place: false, if it is none */
bool summary_number(const char *at, uint64_t *out);

/* summary_read_at - read up to `len` bytes of the file: 0, or -1 with errno */
int summary_read_at(const struct summary *s, uint64_t from, size_t len, struct str *out);

/* summary_head - read the first line, with any mark: false, if it is none; summary_tail_at - the place of the tail */
bool summary_head(const char *head, size_t len, struct summary *s);
uint64_t summary_tail_at(const struct summary *s);

/* summary_parse_tail - read s->tail; summary_has_key - whether it says anything of a key */
void summary_parse_tail(struct summary *s);
bool summary_has_key(const struct summary *s, const char *key, size_t len);

/* summary_complete - add to a row what the tail says of its key and digest without being about the row itself */
void summary_complete(const struct summary *s, struct summary_row *row);

#endif
