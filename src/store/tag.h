/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_TAG_H
#define BERTH_STORE_TAG_H

/*
 * tag: names that point to a manifest's digest.
 *
 * Readers take no lock: a tag's link is replaced by one rename, and a new tag's directory appears complete.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "store/store.h"

/* tag_read - the digest that the tag points to; 1, 0 absent, -1 with *e */
int tag_read(struct store *st, const struct name *n, const struct tag *t, struct digest *out, struct err *e);

/*
 * tag_is_there - whether a tag that an index of this epoch names still exists, in one call as a rule: 1, 0, -1 with *e
 * Its link has been read in this epoch, or was written by berth. So a file of the right length is that link.
 */
int tag_is_there(struct store *st, const struct name *n, const struct tag *t, struct err *e);

/*
 * tag_pushed - the time of the tag's last push, in microseconds since the epoch by the clock of the file system
 * It is greater with each push of a tag, whatever the clock does. Of a tag that berth has not set it is the modification time of
 * its link. On a file system of one machine it may be 10 ms ahead of what the file system says of a new file.
 * keep  as for pushed_find() (store/pushed.h)
 * Returns 1, 0 no such tag, -1 with *e.
 */
int tag_pushed(struct store *st, const struct name *n, const struct tag *t, bool keep, uint64_t *usec, struct err *e);

/*
 * tag_set - point the tag to d, durably, with the present time as that of its push, also if it points there already; also write,
 *           without a flush, the index link of registry:2's layout
 * The caller holds the repository's lock and lock_collector, and has made the revision durable up to repositories/.
 *
 * tag_set_known - the same, where it is known whether the tag has a link; *pushed gets the time, as tag_pushed() tells it
 */
int tag_set(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, struct err *e);
int tag_set_known(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool exists, uint64_t *pushed,
		  struct err *e);

/*
 * tag_remove - move a tag to the trash by one rename; 1, 0 absent, -1 with *e; the caller holds the repository's lock
 * trashed  gets the path to give to store_purge
 * tag_flush - make removals durable
 */
int tag_remove(struct store *st, const struct name *n, const struct tag *t, struct str *trashed, struct err *e);
int tag_flush(struct store *st, const struct name *n, struct err *e);

/*
 * tag_names - add the names of the directories that may be tags, in byte order; no tags at all is an empty list
 * Some may have no link: tag_read tells.
 */
int tag_names(struct store *st, const struct name *n, struct names *out, struct err *e);

/*
 * tag_walk - visit the tags and their digests, in byte order of their names
 * If visit returns anything but 0, the walk ends and returns that.
 */
int tag_walk(struct store *st, const struct name *n,
	     int (*visit)(void *arg, const struct tag *t, const struct digest *d, struct err *e), void *arg,
	     struct err *e);

#endif
