/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_CLOCK_H
#define BERTH_STORE_CLOCK_H

/*
 * clock: the time that is written into the store, in microseconds since the epoch.
 *
 * It is compared with times that other machines have written, so it is the clock of the file system. On a file system of one machine
 * that is the kernel's clock, which costs no system call; what the file system itself says may be 10 ms behind it. Elsewhere it
 * is the modification time that the file system gives to a file.
 */

#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

/* clock_now - the present time; on a file system of several machines a temporary file tells it. 0, or -1 with *e */
int clock_now(struct store *st, uint64_t *usec, struct err *e);

/* clock_of_new - the same by a file that the caller has just written and flushed: one system call at most. 0, or -1 with errno */
int clock_of_new(struct store *st, const char *path, uint64_t *usec);

/* clock_changed - the modification time of a path, which is not followed if it is a link; 0, or -1 with errno */
int clock_changed(struct store *st, const char *path, uint64_t *usec);

#define CLOCK_HEX 16            /* digits of a time in a name */

/*
 * clock_add_hex - add a time as 16 hex digits, so that names in byte order are in the order of their times
 * clock_parse_hex - read the first 16 bytes of a text, all of which must be such digits; 0 or -1
 */
void clock_add_hex(struct str *out, uint64_t usec);
int clock_parse_hex(const char *s, size_t len, uint64_t *usec);

#endif
