/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_LINK_H
#define BERTH_STORE_LINK_H

/*
 * link: the small files called "link" that say which digest a name stands for.
 *
 * A link file holds exactly the digest's text, no newline. What is in it counts, not the directory that it lies in:
 * registry:2 writes links below sha512/ that hold a sha256 digest.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

/*
 * link_read - which digest the link file at path holds
 * Returns 1 found, 0 where there is none or it holds no digest (a leftover of a crash, for fsck to tell), -1 with *e.
 */
int link_read(struct store *st, const char *path, struct digest *out, struct err *e);
int link_read_in(struct store *st, const char *dir, struct digest *out, struct err *e);        /* of dir/link */

/*
 * link_find - which digest dir/link holds, for a reader: link_age's way, one look instead of a file opened, read and closed
 * A link of the right length that is spoilt is fsck's to find; the content that it is called by is what was asked for.
 */
int link_find(struct store *st, const char *dir, const struct digest *called, struct digest *target, struct err *e);

/* link_hold - link_read_in, and what was found is made young, so that the collector leaves it alone for its grace */
int link_hold(struct store *st, const char *dir, struct digest *out, struct err *e);

/*
 * link_age - when dir/link was last made young, in seconds since the epoch, as the file system says now
 * called  the digest that the directory is called by
 * target  what the link holds. One that is called by a sha256 digest holds that one, or it is a fault and its content of
 *         no use to anybody: so it is not opened where it has the length of one.
 * Returns 1, 0 where there is none or it holds no digest, -1 with *e.
 */
int link_age(struct store *st, const char *dir, const struct digest *called, int64_t *when, struct digest *target,
	     struct err *e);

/*
 * link_prepare - a directory below berth/tmp/ that holds the link, flushed; its path goes to *tmp
 * link_publish - rename it to dir; the directories above dir are made where they are missing, and not flushed
 *
 * A link that is already there and holds that digest stays; any other is replaced. However it ends, *tmp is used
 * up. The caller flushes the directories above dir.
 */
int link_prepare(struct store *st, const struct digest *target, struct str *tmp, struct err *e);
int link_publish(struct store *st, const char *tmp, const char *dir, const struct digest *target, struct err *e);

/* link_ensure - both, where dir/link does not hold the target yet; else only touch it */
int link_ensure(struct store *st, const char *dir, const struct digest *target, struct err *e);

#endif
