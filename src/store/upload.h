/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_UPLOAD_H
#define BERTH_STORE_UPLOAD_H

/*
 * upload: a blob that is being uploaded, repositories/<name>/_uploads/<uuid>/{data,startedat}.
 *
 * The size of `data` (0 if it is missing) is the number of bytes accepted. Nothing is flushed before the end: an upload
 * survives the death of any process, but not necessarily a power cut (doc/STORE.md, "The limits of the promise").
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/spool.h"
#include "store/store.h"

struct upload {
	struct store *st;       /* borrowed */
	struct name name;
	struct uuid uuid;
	int lock_fd;            /* startedat, locked exclusively while the upload is open */
	int fd;                 /* data; -1 if there is none yet */
	uint64_t size;
	bool taken;             /* its directory has become a link: upload_become_link */
};

/* upload_create - create an empty upload of the repository, which need not exist */
int upload_create(struct store *st, const struct name *n, struct uuid *out, struct err *e);

/*
 * upload_open - open and lock an upload
 * Returns 1 with an owned upload, 0 if this repository has none with that uuid, -1 with *e: UNAVAILABLE 503 if another
 * request has it locked for longer than this one may wait (store/lock.h).
 */
int upload_open(struct upload **out, struct store *st, const struct name *n, const struct uuid *uuid, struct err *e);
void upload_close(struct upload **u);
#define cleanup_upload __attribute__((cleanup(upload_close)))

/*
 * upload_must_exist - whether it still has its name: 0, or -1 with *e: BLOB_UPLOAD_UNKNOWN 404 if it has none. The repository
 *                     may have been removed or moved meanwhile, but not while the caller holds lock_collector.
 */
int upload_must_exist(const struct upload *u, struct err *e);

/*
 * upload_size - the number of bytes accepted; 1, 0 unknown upload, -1 with *e
 * wait  how long to wait for another request that has the upload locked, in milliseconds
 * busy  it is still locked: the size may be changing
 */
int upload_size(struct store *st, const struct name *n, const struct uuid *uuid, unsigned wait, uint64_t *size,
		bool *busy, struct err *e);

/*
 * upload_age - when the last bytes arrived, in seconds since the epoch: the later mtime of startedat and data
 * Returns 1, 0 if there is no such upload, -1 with *e.
 */
int upload_age(struct store *st, const struct name *n, const struct uuid *uuid, int64_t *when, uint64_t *size,
	       struct err *e);

/*
 * upload_append - append a body, all of it or nothing. The first body becomes `data` itself, by link(2).
 * BLOB_UPLOAD_UNKNOWN 404 if the repository was removed meanwhile.
 */
int upload_append(struct upload *u, const struct spool *body, struct err *e);

/* upload_cut - truncate to `size`: undo upload_append for a request that failed later */
void upload_cut(struct upload *u, uint64_t size);

/* upload_data_path - the path of `data` */
void upload_data_path(const struct upload *u, struct str *path);

/*
 * upload_become_link - end the upload, and turn its directory into what link_prepare() would create: creating and removing
 *                      inodes is slow, so this one is reused
 * tmp  the directory below berth/tmp/ that then holds d's link and nothing else, flushed
 * The upload's data is a blob already. The caller holds lock_collector. 0, or -1 with *e; u->taken tells whether the upload
 * is gone.
 */
int upload_become_link(struct upload *u, const struct digest *d, struct str *tmp, struct err *e);

/* upload_remove - remove the upload by one rename, if it exists; it stays locked until upload_close */
int upload_remove(struct upload *u, struct err *e);

#endif
