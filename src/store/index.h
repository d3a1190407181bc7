/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_INDEX_H
#define BERTH_STORE_INDEX_H

/*
 * index: what is derived from a repository's links, below berth/index/<name>/ (store.md, "Indexes").
 *
 *   _names/                          the tags in byte order (see sorted.h)
 *   _tags/                           which tags point to a digest: "<digest> <tag>", in byte order too
 *   _referrers/<alg>/<hex>/<digest>  the manifests that name a digest as their subject; the descriptor as JSON
 *   _epoch                           the epoch in which all that was compared with the links
 *
 * An index may name too much, never too little: what is added here is on disk before the link that it speaks of, and
 * is taken out after it. Whoever uses an entry opens the link before believing it. All changes, and all reading of
 * _tags, are done under the repository's lock.
 */

#include <stdbool.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "os/dir.h"
#include "store/store.h"

/* index_current - whether the repository's index holds in this epoch: 1, 0, or -1 with *e */
int index_current(struct store *st, const struct name *n, struct err *e);

/* index_begin - make the directories, durably; index_end - all has been compared: the index holds; index_drop - no more, durably */
int index_begin(struct store *st, const struct name *n, struct err *e);
int index_end(struct store *st, const struct name *n, struct err *e);
int index_drop(struct store *st, const struct name *n, struct err *e);

/*
 * index_blocked - as store_blocked, of all its directories
 * index_clear   - index_drop, and what blocks a directory goes: before all is made again
 */
int index_blocked(struct store *st, const struct name *n, struct str *at, struct err *e);
int index_clear(struct store *st, const struct name *n, struct err *e);

/* index_exists - whether there is any of it, current or not: 1, 0, or -1 with *e */
int index_exists(struct store *st, const struct name *n, struct err *e);

/*
 * index_remove - the repository is gone, and its index goes after it; the caller holds the repository's lock
 * trashed  gets the paths to give to store_purge
 * Returns 1, 0 where there was none, -1 with *e. It is dropped first, durably: no crash leaves a part that counts.
 */
int index_remove(struct store *st, const struct name *n, struct names *trashed, struct err *e);

/*
 * index_add_tag - the tag is going to point to d; durable
 * is_new  the tag isn't there yet, so that its name has to be listed too
 * index_remove_tag - it no longer does; a power cut may bring the entry back
 * index_tags_of - add the names of the tags that may point to d
 */
int index_add_tag(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool is_new,
		  struct err *e);
void index_remove_tag(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool gone);
int index_tags_of(struct store *st, const struct name *n, const struct digest *d, struct names *out, struct err *e);

/*
 * The tags of a whole repository at once, while it is compared; durable.
 * names  of the tags, in byte order; pairs  what index_pair gave for each of them, in any order (they are sorted here)
 */
void index_pair(const struct digest *d, const struct tag *t, struct names *pairs);
int index_set_tags(struct store *st, const struct name *n, const struct names *names, struct names *pairs,
		   struct err *e);
int index_walk_tags(struct store *st, const struct name *n, const char *after,
		    int (*visit)(void *arg, const char *tag, struct err *e), void *arg, struct err *e);

/*
 * index_add_referrer - manifest d names `subject`; the text is its descriptor
 * flush  make it durable; where it is false the caller does it for all at once, by index_flush
 * index_remove_referrer - it is gone; a power cut may bring the entry back
 * index_referrers - the digests, as text and in byte order, of the manifests that may name `subject`: the first `max` behind
 *                   `after` ("": of all); out is empty before
 * index_read_referrer - the descriptor; 1, 0 where there is no such entry, or it is none, -1 with *e
 */
int index_add_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d,
		       const struct str *descriptor, bool flush, struct err *e);
void index_remove_referrer(struct store *st, const struct name *n, const struct digest *subject,
			   const struct digest *d);
int index_referrers(struct store *st, const struct name *n, const struct digest *subject, const char *after, size_t max,
		    struct names *out, struct err *e);
int index_read_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d,
			struct str *descriptor, struct err *e);

/* index_flush - all that was added without a flush is on disk, and whatever else waits for that file system's disk */
int index_flush(struct store *st, struct err *e);

#endif
