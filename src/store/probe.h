/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_PROBE_H
#define BERTH_STORE_PROBE_H

/* probe: whether a file system can hold a store, tried when berth starts and while it serves, and what to do where it can't. */

#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

/*
 * probe_file_system - make a file below berth/tmp/, link it, lock it, and compare its time with what is known
 * A clock that is wrong is said in the log, and no more: 0. Else 0, or -1 with *e: one line in e->cause.
 */
int probe_file_system(int dirfd, const char *root, struct err *e);

/*
 * probe_write - write a block into a file without a name below berth/tmp/, and read as probe_read does
 * probe_read  - open the directory of repositories
 * Nothing is flushed. Each returns 0 or the errno.
 */
int probe_write(struct store *st);
int probe_read(struct store *st);

/* probe_remedy - add what to do about an errno that the store of this root has given: "; make room", or nothing */
void probe_remedy(const char *root, int sys, struct str *out);

#endif
