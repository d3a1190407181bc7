/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_PROBE_H
#define BERTH_STORE_PROBE_H

/* probe: test whether a file system can hold a store, at start and while serving, and say what to do if it cannot. */

#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

/*
 * probe_file_system - create a file below berth/tmp/, link it, lock it, and compare its time with the clock and the last start
 * A wrong clock is only logged. Returns 0, or -1 with *e: one line in e->cause.
 */
int probe_file_system(struct store *st, const char *root, struct err *e);

/*
 * probe_write - write a block to an unnamed file below berth/tmp/, then do what probe_read does
 * probe_read  - open the directory of repositories
 * Nothing is flushed. Each returns 0 or an errno.
 */
int probe_write(struct store *st);
int probe_read(struct store *st);

/* probe_remedy - append what to do about an errno of the store at this root, as in "; make room", or nothing */
void probe_remedy(const char *root, int sys, struct str *out);

#endif
