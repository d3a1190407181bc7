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
	struct digest content;  /* what the repository's link holds: the bytes lie under this digest */
	uint64_t size;
};

/*
 * reg_blob_find - look a blob up
 * keep  the caller relies on it staying: link and content are made young for the collector (HEAD, by a pusher)
 * BLOB_UNKNOWN 404 where this repository lacks it, whoever else has it.
 */
int reg_blob_find(struct registry *r, const struct name *n, const struct digest *d, bool keep, struct blob_info *out,
		  struct err *e);

/* reg_blob_location - where the web server finds content: "sha256/ab/ab…/data", below the folder of all blobs */
void reg_blob_location(const struct digest *content, struct str *out);

/* reg_blob_delete - the repository no longer has it; the bytes go with the next collection. BLOB_UNKNOWN 404. */
int reg_blob_delete(struct registry *r, const struct name *n, const struct digest *d, struct err *e);

#define REG_BLOB_MOUNT_LOOKS 1000

/*
 * reg_blob_mount - give repository n a blob that another one has
 * from  the repository to take it from, or NULL: any; REG_BLOB_MOUNT_LOOKS are looked into at most, nearby names first
 * of    those that may be taken from. Neither the answer nor its time says anything about what the others have.
 * Returns 1 done and durable, 0 where it isn't there or was not found, -1 with *e.
 */
int reg_blob_mount(struct registry *r, const struct name *n, const struct digest *d, const struct name *from,
		   const struct repo_filter *of, struct err *e);

#endif
