/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_BLOB_H
#define BERTH_STORE_BLOB_H

/*
 * blob: content under its digest, and the links that say which repository it belongs to.
 *
 * Present means opened: size and age come from the descriptor, never from a name, since only open(2) is checked with
 * the server of a network file system. Content never changes: there is no second name by which it could be written.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"
#include "store/upload.h"
#include "store/walk.h"

/*
 * blob_open - open content for reading
 * Returns 1 with an owned descriptor and the size in bytes, 0 absent, -1 with *e. A file of no bytes under another
 * digest than that of nothing counts as absent: registry:2 leaves such files after a crash.
 */
int blob_open(struct store *st, const struct digest *d, int *fd, uint64_t *size, struct err *e);

/* blob_pin - for a promise: content that is seen now, and is made young; 1, 0 absent, -1. The caller holds lock_collector */
int blob_pin(struct store *st, const struct digest *d, uint64_t *size, struct err *e);

/*
 * blob_find - look a blob up through the repository's link
 * target  the digest that the link holds: the content is that one's
 * touch   for a promise: the link is read, and link and content are made young for the collector; the caller holds
 *         lock_collector then. Without: for a reader, as link_find
 */
int blob_find(struct store *st, const struct name *n, const struct digest *d, bool touch, struct digest *target,
	      uint64_t *size, struct err *e);

/* blob_read_link - the digest that the repository's link for d holds; 1 found, 0 absent or spoilt, -1 with *e */
int blob_read_link(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/* A file whose bytes become content. */
struct blob_source {
	enum blob_taking {
		BLOB_BY_LINK,   /* a second name: for what nginx spooled, since nginx removes its own */
		BLOB_BY_RENAME  /* its only name: for an upload's data, which could be appended to under another */
	} how;
	const char *path;
	int fd;                         /* the same file, open; its bytes are flushed already (store_flush_fd) */
	struct upload *upload;          /* the upload that this ends; NULL: none */
};

/*
 * blob_write - put bytes in memory, which hash to d, in their place; durable when it returns
 * The same bytes already there stay and are touched; others are replaced: a push repairs what is corrupt. The caller
 * holds lock_collector.
 */
int blob_write(struct store *st, const struct digest *d, const void *buf, size_t len, struct err *e);

/*
 * blob_commit - what a finished upload is: content from a file whose bytes hash to d, and the repository's link to it;
 * durable
 *
 * The file replaces content already there, which may be corrupt. (In a directory of another user's it can't, and content
 * of the same size stays.) Takes lock_collector itself and makes the repository where it doesn't exist. With
 * BLOB_BY_RENAME the name may be gone or still there afterwards, and the upload used up (`taken`), whatever comes back.
 * BLOB_UPLOAD_UNKNOWN 404 where the upload has lost its name meanwhile: the repository was removed, or has another name
 * now, and must not come back by this.
 */
int blob_commit(struct store *st, const struct name *n, const struct digest *d, const struct blob_source *src,
		struct err *e);

/*
 * blob_link - give repository n the blob d that repository `from` has (a cross-repository mount)
 * As blob_commit it takes the lock and makes the repository. Returns 1 done and durable, 0 where `from` lacks it, -1.
 */
int blob_link(struct store *st, const struct name *n, const struct digest *d, const struct name *from, struct err *e);

/* blob_flush_layers - vouch on disk for every layer link of this algorithm that was seen. The caller holds lock_collector. */
int blob_flush_layers(struct store *st, const struct name *n, enum digest_alg alg, struct err *e);

/*
 * blob_walk       - visit the digests that have a directory of content, a part of them: those that begin with one byte
 * blob_walk_links - visit the digests that the repository has a layer directory for
 * What visit returns other than 0 ends the walk and comes back. A directory that can't be listed is an error.
 */
#define BLOB_PARTS 256
int blob_walk(struct store *st, unsigned part, digest_visit *visit, void *arg, struct err *e);
int blob_walk_links(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e);

/*
 * blob_age      - when content was last made young, in seconds since the epoch, and its size, as the file system says now
 * blob_link_age - the same of the repository's link and its content, whichever is younger; target: what the link holds
 * Each returns 1, 0 where it is gone or spoilt, -1 with *e.
 */
int blob_age(struct store *st, const struct digest *d, int64_t *when, uint64_t *size, struct err *e);
int blob_link_age(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target,
		  struct err *e);

/* blob_size - the size of content as its name has it, not opened, or 0: for sums, which nothing depends on */
uint64_t blob_size(struct store *st, const struct digest *d);

/*
 * blob_collect      - take content away; the caller holds the collector's lock exclusively
 * blob_collect_link - take the repository's link away; blob_flush_links makes that durable, before content goes
 * Each returns 1, 0 gone already, -1 with *e; what was taken is given to blob_purge or blob_purge_link.
 * blob_remove, blob_remove_link - the same without the trash, where nobody serves: a crash in the middle leaves an empty
 *                     directory. 1, 0 there was nothing but that at most (which blob_remove takes away), -1 with *e.
 * blob_tidy_link    - take away such a directory of a link, if it is empty
 */
int blob_collect(struct store *st, const struct digest *d, struct str *trashed, struct err *e);
int blob_collect_link(struct store *st, const struct name *n, const struct digest *d, struct str *trashed,
		      struct err *e);
int blob_remove(struct store *st, const struct digest *d, struct err *e);
int blob_remove_link(struct store *st, const struct name *n, const struct digest *d, struct err *e);
void blob_tidy_link(struct store *st, const struct name *n, const struct digest *d);
int blob_flush_links(struct store *st, const struct name *n, struct err *e);
void blob_purge(struct store *st, const char *trashed);
void blob_purge_link(struct store *st, const char *trashed);

/* blob_unlink - take the repository's link away, durably; the content stays for the collector. 1, 0 absent, -1 */
int blob_unlink(struct store *st, const struct name *n, const struct digest *d, struct err *e);

#endif
