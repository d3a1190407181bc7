/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_MIRROR_H
#define BERTH_STORE_MIRROR_H

/*
 * mirror: what is known of a repository that mirrors another registry's, below berth/mirror/<name>/ (doc/CACHE.md, "How it works").
 *
 *   _checked/TAG       an empty file; its modification time is when the upstream last confirmed the tag
 *   _named/ALG/HEX     an empty file: a manifest of the repository names this digest as a blob, and so its content may be linked here
 *   _children/ALG/HEX  the same of a manifest that an index of the repository names. Bytes that are named as a blob never become a manifest: the
 *                      upstream took them without reading what they name
 *   _copied            an empty file: the repository is a copy. It had no manifest when its upstream gave the first one, and nobody has pushed one
 *                      since
 *   _pinned/TAG        an empty file: what the tag needs stays, whatever cache.idle and cache.max_size say
 *
 * No lock protects these: each is one file. A file too few costs a question upstream, and none of them gives a right. Without _copied nothing of
 * the repository is ever evicted. It is on disk so that every process on every machine says the same, whatever upstreams its configuration has.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/digestset.h"
#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "store/store.h"

/*
 * mirror_checked - when the tag was last confirmed, in seconds since the epoch by the file system's clock: 1, 0 never, -1 with *e
 * mirror_check   - it is confirmed now; not durable
 */
int mirror_checked(struct store *st, const struct name *n, const struct tag *t, int64_t *when, struct err *e);
int mirror_check(struct store *st, const struct name *n, const struct tag *t, struct err *e);

/*
 * mirror_named - whether a manifest of the repository names this blob: 1, 0, -1 with *e
 * mirror_child - whether an index of the repository names this manifest: 1, 0, -1 with *e
 * mirror_name, mirror_name_children - they name these blobs, or manifests; durable, on an ordered file system with the next barrier
 */
int mirror_named(struct store *st, const struct name *n, const struct digest *d, struct err *e);
int mirror_child(struct store *st, const struct name *n, const struct digest *d, struct err *e);
int mirror_name(struct store *st, const struct name *n, const struct digest *d, size_t count, struct err *e);
int mirror_name_children(struct store *st, const struct name *n, const struct digest *d, size_t count, struct err *e);

/*
 * mirror_uncheck - the tag is not here any more. A failure is ignored
 * mirror_unname  - forget what the repository's manifests do not name any more: all but these. The caller holds the repository's lock, so that no
 *                  manifest comes meanwhile. 0, or -1 with *e
 */
void mirror_uncheck(struct store *st, const struct name *n, const struct tag *t);
int mirror_unname(struct store *st, const struct name *n, const struct digestset *named, struct err *e);

/*
 * mirror_pin    - the tag is pinned, durably, whether it is here yet or not: 1, 0 it was pinned already, -1 with *e
 * mirror_unpin  - it is not, durably: 1, 0 it was not, -1 with *e
 * mirror_pinned - whether it is: 1, 0, -1 with *e
 * mirror_pins   - add the names of the pinned tags of a repository, in byte order; each may be no valid tag. 0, or -1 with *e
 */
int mirror_pin(struct store *st, const struct name *n, const struct tag *t, struct err *e);
int mirror_unpin(struct store *st, const struct name *n, const struct tag *t, struct err *e);
int mirror_pinned(struct store *st, const struct name *n, const struct tag *t, struct err *e);
int mirror_pins(struct store *st, const struct name *n, struct names *out, struct err *e);

/*
 * mirror_any    - whether the store has, or had, any mirror when this process asked first. One that comes later is of a configuration that it does
 *                 not have
 * mirror_copied - whether the repository is a copy: 1, 0, -1 with *e
 * mirror_copy   - it is from now on, durably, on an ordered file system with the next barrier. The caller holds the repository's lock
 * mirror_own    - it is not any more, durably: 1, 0 it was none, -1 with *e. The caller holds lock_collector, and casts doubt on the sticky bit
 *                 before that (alone_doubt), unless nothing has a link there
 * mirror_each   - visit all copies, in no order; visit returns 0 to go on, anything else to stop, which is then returned. -1 with *e
 */
bool mirror_any(struct store *st);
int mirror_copied(struct store *st, const struct name *n, struct err *e);
int mirror_copy(struct store *st, const struct name *n, struct err *e);
int mirror_own(struct store *st, const struct name *n, struct err *e);
int mirror_each(struct store *st, int (*visit)(void *arg, const struct name *n, struct err *e), void *arg, struct err *e);

/* mirror_remove - remove all of it, of a repository that was removed; what repositories below it have stays. 0 or -1 with *e */
int mirror_remove(struct store *st, const struct name *n, struct err *e);

#endif
