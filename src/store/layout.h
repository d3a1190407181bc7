/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_LAYOUT_H
#define BERTH_STORE_LAYOUT_H

/* layout: the directories that every store has, their modes, and the version of their format (doc/STORE.md, "Layout"). */

#include "base/err.h"
#include "store/store.h"

#define STORE_FORMAT 1          /* of the part below berth/; a newer one is refused */

/*
 * layout_prepare - create the missing directories, test the file system and check the format; call it once, before any
 *                  process opens the store. epoch_begin makes the result durable.
 * A new store is accessible to its owner and group only. Lock files are never accessible to others, in an old store either.
 * Errors: one line for the operator in e->cause (which path, what is wrong), code UNAVAILABLE or UNKNOWN.
 */
int layout_prepare(const struct store_options *o, struct err *e);

/* layout_flush - make the directories durable one by one, with fsync = "full". Errors as above. */
int layout_flush(struct store *st, const char *root, struct err *e);

/* layout_warn_if_open - log `open_store` if users other than the owner and the group can read content or take locks */
void layout_warn_if_open(const struct store *st, const char *root);

#endif
