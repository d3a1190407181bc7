/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_BLOB_H
#define BERTH_STORE_BLOB_H

/*
 * blob: content under its digest, and the layer links that say which repository it belongs to.
 *
 * Content exists if it can be opened: size and age come from the descriptor, since a network file system checks only open(2)
 * with its server. Content never changes: no other name allows writing to it.
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
 * Returns 1 with an owned descriptor and the size in bytes, 0 absent, -1 with *e. An empty file counts as absent, unless the
 * digest is that of the empty string: registry:2 leaves such files after a crash.
 */
int blob_open(struct store *st, const struct digest *d, int *fd, uint64_t *size, struct err *e);

/*
 * blob_pin - check that the content exists, and refresh its mtime so that the collector keeps it; 1, 0 absent, -1
 * n  the repository that relies on it: unless it is a mirror, content is not a mirror's alone from now on (store/alone.h)
 * The caller holds lock_collector.
 */
int blob_pin(struct store *st, const struct name *n, const struct digest *d, uint64_t *size, struct err *e);

/*
 * blob_find - look a blob up through the repository's link
 * target  the digest in the link: the content is that one's
 * touch   true: pin link and content, for a caller that relies on them; it holds lock_collector. False: for a reader, as
 *         link_find
 */
int blob_find(struct store *st, const struct name *n, const struct digest *d, bool touch, struct digest *target,
	      uint64_t *size, struct err *e);

/* blob_look - the same for a reader, which learns what file it is */
struct blob_file {
	struct digest content;  /* in the link: the bytes are stored under it */
	uint64_t size;
	uint64_t number;        /* of the inode: another one has the name when the content was pushed again */
};
int blob_look(struct store *st, const struct name *n, const struct digest *d, struct blob_file *out, struct err *e);

/* blob_read_link - the digest in the repository's link for d; 1, 0 absent or corrupt, -1 with *e */
int blob_read_link(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/* A file that becomes content. */
struct blob_source {
	enum blob_taking {
		BLOB_BY_LINK,   /* a second name: for nginx's spool files, since nginx removes its own name */
		BLOB_BY_RENAME  /* rename, not link: a second name would let a later append change published content */
	} how;
	const char *path;
	int fd;                         /* the same file, open; flushed already (spool_verify, store_flush_fd) */
	struct upload *upload;          /* the upload that ends with this; NULL: none */
	uint64_t most;                  /* how many bytes only mirrors may have with it (store/alone.h); 0: any number */
};

/*
 * blob_write - store bytes from memory, which hash to d, for repository n; durable when it returns
 * Identical content stays, and its mtime is refreshed; different content is replaced: a push repairs what is corrupt. The
 * caller holds lock_collector.
 */
int blob_write(struct store *st, const struct name *n, const struct digest *d, const void *buf, size_t len, struct err *e);

/*
 * blob_commit - end an upload: publish a file whose bytes hash to d as content, and link it in the repository; durable, but with
 *               fsync = "image" the link is so only after blob_flush_layers
 *
 * The file replaces existing content, which may be corrupt. (In a directory of another user it cannot, and content of the
 * same size stays.) Takes lock_collector, and creates the repository if it does not exist. With BLOB_BY_RENAME the source's
 * name may be gone afterwards and the upload ended (`taken`), even if this fails.
 * DENIED 403 if only mirrors would have it, and that would be more than `most` bytes.
 * BLOB_UPLOAD_UNKNOWN 404 if the upload has no name any more: the repository was removed or moved meanwhile, and this must
 * not create it again.
 */
int blob_commit(struct store *st, const struct name *n, const struct digest *d, const struct blob_source *src,
		struct err *e);

/*
 * blob_link - link blob d of repository `from` in repository n (a cross-repository mount)
 * Takes lock_collector and creates the repository, as blob_commit. Returns 1 done and durable as there, 0 `from` lacks it, -1.
 */
int blob_link(struct store *st, const struct name *n, const struct digest *d, const struct name *from, struct err *e);

/*
 * blob_adopt - link content that the store has in repository n, whoever brought it: for a mirror, one of whose manifests names it
 * As blob_link: 1 done, 0 there is no such content, -1.
 */
int blob_adopt(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/* blob_flush_layers - make all layer links of this algorithm durable. The caller holds lock_collector. */
int blob_flush_layers(struct store *st, const struct name *n, enum digest_alg alg, struct err *e);

/*
 * blob_walk       - visit the digests that have a directory of content; `part`: only those whose first byte is this
 * blob_walk_links - visit the digests that have a layer directory in the repository
 * If visit returns anything but 0, the walk ends and returns that. A directory that cannot be listed is an error.
 */
#define BLOB_PARTS 256
int blob_walk(struct store *st, unsigned part, digest_visit *visit, void *arg, struct err *e);
int blob_walk_links(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e);

/*
 * blob_age      - the mtime of content, in seconds since the epoch, and its size, by the file system's clock
 * blob_link_age - the later mtime of the repository's link and its content; target: the digest in the link
 * Each returns 1, 0 if it is absent or corrupt, -1 with *e.
 */
int blob_age(struct store *st, const struct digest *d, int64_t *when, uint64_t *size, struct err *e);
int blob_link_age(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target,
		  struct err *e);

/*
 * Of mirrors:
 * blob_last_pull - when the link of a repository was made, or the blob last pulled through it: 1 with the digest in the link, 0 absent, -1
 * blob_pulled    - as blob_look(), and the pull is noted: once an hour the link's time is set; no flush, a failure is ignored
 * blob_alone     - whether only mirrors have this content, and its size: 1, 0 others may have it, or it is absent, -1 with *e
 * blob_forsake   - it is not theirs alone any more, whoever has it: clear the bit; 0, or -1 with *e
 */
int blob_last_pull(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target, struct err *e);
int blob_pulled(struct store *st, const struct name *n, const struct digest *d, struct blob_file *out, struct err *e);
int blob_alone(struct store *st, const struct digest *d, uint64_t *size, struct err *e);
int blob_forsake(struct store *st, const struct digest *d, struct err *e);

/* blob_size - the size of content by stat(2), or 0: for statistics only */
uint64_t blob_size(struct store *st, const struct digest *d);

/*
 * blob_collect      - move content to the trash; the caller holds the collector's lock exclusively
 * blob_collect_link - move the repository's link to the trash; blob_flush_links makes that durable, before content is removed
 * Each returns 1, 0 absent, -1 with *e; the path in the trash is for blob_purge or blob_purge_link.
 * blob_remove, blob_remove_link - the same without the trash, while nobody serves: a crash in between leaves an empty
 *                     directory. 1, 0 there was an empty directory or none (blob_remove removes it), -1 with *e.
 * blob_tidy_link    - remove such a directory of a link, if it is empty
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

/* blob_unlink - remove the repository's link, durably; the collector removes the content. 1, 0 absent, -1 */
int blob_unlink(struct store *st, const struct name *n, const struct digest *d, struct err *e);

#endif
