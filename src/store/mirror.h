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
 *
 * No lock protects these: each is one file. A file too few costs a question upstream, and none of them gives a right.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
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

/* mirror_remove - remove all of it, of a repository that was removed; what repositories below it have stays. 0 or -1 with *e */
int mirror_remove(struct store *st, const struct name *n, struct err *e);

#endif
