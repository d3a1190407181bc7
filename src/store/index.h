/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_INDEX_H
#define BERTH_STORE_INDEX_H

/*
 * index: what is derived from a repository's links, below berth/index/<name>/ (doc/STORE.md, "Indexes and epochs").
 *
 *   _names/                          the tags in byte order (see sorted.h)
 *   _tags/                           which tags point to a digest: "<digest> <tag>", in byte order too
 *   _referrers/<alg>/<hex>/<digest>  the manifests with this digest as their subject; the content is the descriptor, as JSON
 *   _list                            all tags, believed as it is while it is there (see taglist.h)
 *   _summary                         what lists say of each tag (see summary.h)
 *   _epoch                           the epoch in which all of this was compared with the links
 *
 * An index may name too much, never too little: an entry is made before the link that it describes is published,
 * and removed after the link. Whoever uses an entry opens the link before relying on it. All changes, and all reads of
 * _tags, are made under the repository's lock.
 */

#include <stdbool.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "os/dir.h"
#include "store/store.h"

/* index_current - whether the repository's index is valid in this epoch: 1, 0, or -1 with *e */
int index_current(struct store *st, const struct name *n, struct err *e);

/*
 * index_begin - create the directories, durably
 * index_end   - mark the index as valid: all links were compared
 * index_drop  - mark it as invalid, durably
 */
int index_begin(struct store *st, const struct name *n, struct err *e);
int index_end(struct store *st, const struct name *n, struct err *e);
int index_drop(struct store *st, const struct name *n, struct err *e);

/*
 * index_blocked - as store_blocked, for all of its directories
 * index_clear   - index_drop, and remove what blocks a directory, before the index is built again
 */
int index_blocked(struct store *st, const struct name *n, struct str *at, struct err *e);
int index_clear(struct store *st, const struct name *n, struct err *e);

/* index_exists - whether any part of it exists, valid or not: 1, 0, or -1 with *e */
int index_exists(struct store *st, const struct name *n, struct err *e);

/*
 * index_remove - remove the index of a removed repository; the caller holds the repository's lock
 * trashed  gets the paths to give to store_purge
 * Returns 1, 0 if there was none, -1 with *e. It is dropped first, durably, so that a crash leaves no part that counts.
 */
int index_remove(struct store *st, const struct name *n, struct names *trashed, struct err *e);

/*
 * index_add_tag - the tag is about to point to d; durable
 * is_new  the tag does not exist yet, so its name is added too
 * index_remove_tag - the tag no longer points to d; a power cut may bring the entry back
 * gone  the tag no longer exists, so its name is removed too
 * index_tags_of - add the names of the tags that may point to d: the first `max`; out is empty before
 */
int index_add_tag(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool is_new,
		  struct err *e);
void index_remove_tag(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool gone);
int index_tags_of(struct store *st, const struct name *n, const struct digest *d, size_t max, struct names *out, struct err *e);

/*
 * index_set_tags - replace the entries of all tags of a repository at once, durably
 * names  the tags, in byte order; pairs  what index_pair added for each of them, in any order (this sorts them)
 */
void index_pair(const struct digest *d, const struct tag *t, struct names *pairs);
int index_set_tags(struct store *st, const struct name *n, const struct names *names, struct names *pairs,
		   struct err *e);
int index_walk_tags(struct store *st, const struct name *n, const char *after,
		    int (*visit)(void *arg, const char *tag, struct err *e), void *arg, struct err *e);

/*
 * index_add_referrer - manifest d has this subject; the text is its descriptor
 * flush  make it durable; if false, the caller calls index_flush for all of them
 * index_remove_referrer - manifest d was removed; a power cut may bring the entry back
 * index_referrers - the digests, as text and in byte order, of the manifests that may have this subject: the first `max` after
 *                   `after` ("": of all); out is empty before
 * index_read_referrer - the descriptor; 1, 0 if there is no valid entry, -1 with *e
 */
int index_add_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d,
		       const struct str *descriptor, bool flush, struct err *e);
void index_remove_referrer(struct store *st, const struct name *n, const struct digest *subject,
			   const struct digest *d);
int index_referrers(struct store *st, const struct name *n, const struct digest *subject, const char *after, size_t max,
		    struct names *out, struct err *e);
int index_read_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d,
			struct str *descriptor, struct err *e);

/* index_flush - make all entries durable that were added without a flush; flushes the whole file system */
int index_flush(struct store *st, struct err *e);

#endif
