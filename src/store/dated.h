/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_DATED_H
#define BERTH_STORE_DATED_H

/*
 * dated: a file of lines that were counted at one moment: "HEAD SECONDS\n", lines, "end\n". Without the last line it counts for nothing.
 *
 * What the lines say is the caller's.
 */

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

struct dated {
	struct str text;
	size_t first;                   /* where the first line begins; 0: there is no file */
	int64_t when;                   /* seconds since the epoch */
};

#define DATED_INIT { .text = STR_INIT }
void dated_release(struct dated *d);
#define cleanup_dated __attribute__((cleanup(dated_release)))

/* The text of the file: dated_begin, then the lines, then dated_end. head: "berth-sizes 1 ", with a blank at its end */
void dated_begin(struct str *out, const char *head, int64_t when);
void dated_end(struct str *out);

/* dated_read - read a file of at most `max` bytes: 1 with the lines up to the end of d->text, 0 there is none, -1 with *e */
int dated_read(struct store *st, const char *path, const char *head, uint64_t max, struct dated *d, struct err *e);

#endif
