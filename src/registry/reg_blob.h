/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_BLOB_H
#define BERTH_REGISTRY_REG_BLOB_H

/* reg_blob: blobs of a repository (distribution-spec, "Pulling blobs", "Deleting Blobs", "Mounting a blob"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/reg_walk.h"

struct blob_info {
	struct digest content;  /* read from the repository's link: the bytes are stored under this digest */
	uint64_t size;
	uint64_t file;          /* the number of its file's inode, if it was found for a reader */
};

/*
 * reg_blob_find - look a blob up
 * keep  refresh the mtime of link and content so that the collector keeps them (HEAD by a client that may push)
 * BLOB_UNKNOWN 404 if this repository lacks it, even if another one has it.
 */
int reg_blob_find(struct registry *r, const struct name *n, const struct digest *d, bool keep, struct blob_info *out,
		  struct err *e);

/* reg_blob_open - open the bytes of a blob that reg_blob_find() has found; *fd is owned. BLOB_UNKNOWN 404 if they are missing. */
int reg_blob_open(struct registry *r, const struct blob_info *info, int *fd, struct err *e);

/*
 * reg_blob_location - the path of a blob for the web server, relative to the directory of all blobs: "sha256/ab/ab…/data"
 * Where several machines may have the store the path of another file is another text, with slashes and dots before that.
 */
void reg_blob_location(const struct registry *r, const struct blob_info *info, struct str *out);

/* reg_blob_delete - remove the blob from the repository, durably; the collector removes the bytes. BLOB_UNKNOWN 404. */
int reg_blob_delete(struct registry *r, const struct name *n, const struct digest *d, struct err *e);

#define REG_BLOB_MOUNT_MAX 1000

/*
 * reg_blob_mount - link a blob of another repository into repository n
 * from  the source, or NULL: search at most REG_BLOB_MOUNT_MAX repositories, those with a similar name first
 * of    the repositories that the caller may read. Neither the result nor its time reveals what the others contain.
 * Returns 1 done and durable, 0 not found, -1 with *e.
 */
int reg_blob_mount(struct registry *r, const struct name *n, const struct digest *d, const struct name *from,
		   const struct repo_filter *of, struct err *e);

#endif
