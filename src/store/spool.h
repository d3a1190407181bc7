/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SPOOL_H
#define BERTH_STORE_SPOOL_H

/*
 * spool: a request body as a file on the store's file system.
 *
 * As a rule nginx writes it to berth/body/, and removes that name itself when the request ends; the store keeps the bytes by
 * giving the file a second name. For a web server that cannot do that, spool_make creates an empty file to fill.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

struct spool {
	struct store *st;       /* borrowed */
	struct str path;        /* relative to the root; empty: no body, and size is 0 */
	int fd;                 /* readable and, for spool_make, writable; -1 without a body */
	uint64_t size;
	bool own;               /* made by spool_make: removed by spool_release */
};

#define SPOOL_INIT { .path = STR_INIT, .fd = -1 }

/*
 * spool_open - open the file that the web server wrote
 * file  its path as the server gave it; only the last component counts, and it must exist in berth/body/
 *
 * UNKNOWN 500 if it is missing or not a regular file: the server and the worker do not share the directory.
 */
int spool_open(struct spool *sp, struct store *st, const char *file, struct err *e);

/* spool_make - create an empty file below berth/tmp/; the caller writes to sp->fd and sets sp->size */
int spool_make(struct spool *sp, struct store *st, struct err *e);

void spool_release(struct spool *sp);
#define cleanup_spool __attribute__((cleanup(spool_release)))

/*
 * spool_hash_fd - the digest of the whole content of an open file
 * flush  start writing the file to disk first, so that disk and processor work at the same time
 */
int spool_hash_fd(int fd, bool flush, enum digest_alg alg, struct digest *out, struct err *e);

/*
 * spool_verify - make an open file ready for blob_commit: its bytes hash to d, its mode is that of the store's files, and it
 *                is flushed
 * DIGEST_INVALID 400 if the bytes hash to something else.
 */
int spool_verify(struct store *st, int fd, const struct digest *d, struct err *e);

#endif
