/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_UPLOAD_H
#define BERTH_REGISTRY_REG_UPLOAD_H

/* reg_upload: uploads of blobs (distribution-spec, "Pushing Blobs"; doc/API.md, "Uploads"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"
#include "store/spool.h"

/* The position of the body in the blob, from Content-Range; bytes, both ends included. */
struct chunk {
	bool placed;            /* false: no Content-Range; the body is appended */
	bool unreadable;        /* there is one, but not of a known form: the body fits nowhere */
	uint64_t first, last;
};

/* reg_upload_begin - create an upload; its name is in *out */
int reg_upload_begin(struct registry *r, const struct name *n, struct uuid *out, struct err *e);

/* reg_upload_status - the number of bytes received. BLOB_UPLOAD_UNKNOWN 404. */
int reg_upload_status(struct registry *r, const struct name *n, const struct uuid *uuid, uint64_t *size,
		      struct err *e);

/*
 * reg_upload_fits - check whether a body may be appended to this upload, before the body is read
 * len   the body's length in bytes, or 0 if unknown
 * size  set to the upload's current size, also with RANGE_INVALID
 * BLOB_UPLOAD_UNKNOWN 404; RANGE_INVALID 416 if the chunk does not begin at the end of the upload or its position is unreadable; SIZE_INVALID 413.
 */
int reg_upload_fits(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		    uint64_t len, uint64_t *size, struct err *e);

/* reg_upload_append - append a body, completely or not at all; *size is set to the current size; errors as above */
int reg_upload_append(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		      const struct spool *body, uint64_t *size, struct err *e);

/*
 * reg_upload_finish - append the last body, which may be empty, and turn the upload into the blob d; durable
 * Errors as above; and DIGEST_INVALID 400 if the bytes have another digest: this error alone ends the upload.
 */
int reg_upload_finish(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		      const struct spool *body, const struct digest *d, uint64_t *size, struct err *e);

/* reg_upload_whole - store a blob from one request, without an upload; durable; DIGEST_INVALID 400, SIZE_INVALID 413 */
int reg_upload_whole(struct registry *r, const struct name *n, const struct spool *body, const struct digest *d,
		     struct err *e);

/* reg_upload_cancel - remove the upload. BLOB_UPLOAD_UNKNOWN 404. */
int reg_upload_cancel(struct registry *r, const struct name *n, const struct uuid *uuid, struct err *e);

#endif
