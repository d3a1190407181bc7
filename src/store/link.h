/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_LINK_H
#define BERTH_STORE_LINK_H

/*
 * link: the small files called "link" that hold the digest that a name stands for.
 *
 * A link file holds exactly the digest's text, without a newline. The text counts, not the directory's name: registry:2
 * writes links below sha512/ that hold a sha256 digest.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

/*
 * link_read - the digest in the link file at path
 * Returns 1, 0 if there is no file or no digest in it (left by a crash; fsck reports it), -1 with *e.
 */
int link_read(struct store *st, const char *path, struct digest *out, struct err *e);
int link_read_in(struct store *st, const char *dir, struct digest *out, struct err *e);        /* the same of dir/link */

/*
 * link_find - the digest in dir/link, for a reader: as link_age, one call instead of opening, reading and closing the file
 * A corrupt link of the right length is not noticed; fsck finds it. The content is that of the digest asked for in any case.
 */
int link_find(struct store *st, const char *dir, const struct digest *called, struct digest *target, struct err *e);

/* link_pin - link_read_in, and refresh the link's mtime so that the collector keeps it for the grace period */
int link_pin(struct store *st, const char *dir, struct digest *out, struct err *e);

/*
 * link_age - the modification time of dir/link, in seconds since the epoch, by the file system's clock
 * called  the digest that the directory is named after
 * target  the digest in the link. In a directory named after a sha256 digest it can only be that digest, or the link is
 *         corrupt and of no use to anybody; so if the file has the length of one, it is not opened.
 * Returns 1, 0 if there is no file or no digest in it, -1 with *e.
 */
int link_age(struct store *st, const char *dir, const struct digest *called, int64_t *when, struct digest *target,
	     struct err *e);

/*
 * link_prepare - create a directory below berth/tmp/ that holds the link, flushed; its path goes to *tmp
 * link_publish - rename it to dir; missing directories above dir are created, but not flushed
 *
 * A link that is already there and holds the same digest stays; any other is replaced. In any case *tmp is gone afterwards.
 * The caller flushes the directories above dir.
 */
int link_prepare(struct store *st, const struct digest *target, struct str *tmp, struct err *e);
int link_publish(struct store *st, const char *tmp, const char *dir, const struct digest *target, struct err *e);

/* link_touch - set the modification time of dir/link to now; a failure does not matter */
void link_touch(struct store *st, const char *dir);

/* link_ensure - prepare and publish, or, if dir/link holds the target already, only refresh its mtime */
int link_ensure(struct store *st, const char *dir, const struct digest *target, struct err *e);

#endif
