/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_UPLOAD_H
#define BERTH_STORE_UPLOAD_H

/*
 * upload: a blob on its way in, repositories/<name>/_uploads/<uuid>/{data,startedat}.
 *
 * The size of `data` (none: 0) is the number of bytes taken in. Nothing is flushed before the end: an upload under way
 * survives every process, but need not survive a power cut (store.md, "Durable writes").
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
	int lock_fd;            /* startedat, locked exclusively as long as the upload is open */
	int fd;                 /* data; -1 while there is none */
	uint64_t size;
	bool taken;             /* it is no upload any more: upload_become_link */
};

/* upload_create - a new, empty upload of the repository, which need not exist */
int upload_create(struct store *st, const struct name *n, struct uuid *out, struct err *e);

/*
 * upload_open - open and lock an upload
 * Returns 1 with an owned upload, 0 where this repository has none of that uuid, -1 with *e: UNAVAILABLE 503 where
 * another request holds it for longer than this one may wait (store/lock.h).
 */
int upload_open(struct upload **out, struct store *st, const struct name *n, const struct uuid *uuid, struct err *e);
void upload_close(struct upload **u);
#define cleanup_upload __attribute__((cleanup(upload_close)))

/*
 * upload_stands     - whether it still has its name: 1, 0, -1 with *e. The repository may have been removed or moved
 *                     meanwhile; it can't be while the caller holds lock_collector.
 * upload_must_stand - 0, or -1 with *e: BLOB_UPLOAD_UNKNOWN 404 where it has none
 */
int upload_stands(const struct upload *u, struct err *e);
int upload_must_stand(const struct upload *u, struct err *e);

/*
 * upload_size - the bytes taken in; 1, 0 unknown, -1 with *e
 * wait  how long to wait for who holds the upload: milliseconds
 * busy  somebody still does: the size may be about to change, or be changing
 */
int upload_size(struct store *st, const struct name *n, const struct uuid *uuid, unsigned wait, uint64_t *size,
		bool *busy, struct err *e);

/*
 * upload_age - when bytes last came in, in seconds since the epoch: the newer of startedat and data
 * Returns 1, 0 where it is gone, -1 with *e.
 */
int upload_age(struct store *st, const struct name *n, const struct uuid *uuid, int64_t *when, uint64_t *size,
	       struct err *e);

/*
 * upload_append - add a body at the end: all of it, or nothing. The first one becomes `data` itself, by link(2).
 * BLOB_UPLOAD_UNKNOWN 404 where the repository went meanwhile.
 */
int upload_append(struct upload *u, const struct spool *body, struct err *e);

/* upload_cut - take back what was appended after `size`, for a request that failed later on */
void upload_cut(struct upload *u, uint64_t size);

/* upload_data_path - where `data` lies */
void upload_data_path(const struct upload *u, struct str *path);

/*
 * upload_become_link - end the upload, and make of its directory what link_prepare() would make anew: an inode that is taken
 *                      from one use to the next need not be made, nor removed, and file systems are slow at both
 * tmp: the directory below berth/tmp/ that holds d's link and nothing else, flushed. For an upload whose data is content by
 * now. The caller holds lock_collector. 0, or -1 with *e; whether u->taken tells whether the upload is gone.
 */
int upload_become_link(struct upload *u, const struct digest *d, struct str *tmp, struct err *e);

/* upload_remove - the upload and all of it is gone, by one rename, if it was there; it stays locked until closed */
int upload_remove(struct upload *u, struct err *e);

#endif
