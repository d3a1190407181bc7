/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_UPLOAD_H
#define BERTH_REGISTRY_REG_UPLOAD_H

/* reg_upload: blobs on their way in (distribution-spec, "Pushing Blobs"; api.md, "Uploads"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"
#include "store/spool.h"

/* What the client says of the body's place in the blob, from Content-Range; bytes, both ends included. */
struct chunk {
	bool placed;            /* false: wherever the upload ends now */
	uint64_t first, last;
};

int reg_upload_begin(struct registry *r, const struct name *n, struct uuid *out, struct err *e);

/* reg_upload_status - how many bytes are taken in. BLOB_UPLOAD_UNKNOWN 404. */
int reg_upload_status(struct registry *r, const struct name *n, const struct uuid *uuid, uint64_t *size,
		      struct err *e);

/*
 * reg_upload_fits - whether a body may go to this upload, before it is read
 * len   its length in bytes, if known (else 0)
 * size  gets the upload's present size, also where the answer is RANGE_INVALID
 * BLOB_UPLOAD_UNKNOWN 404, RANGE_INVALID 416 out of place, SIZE_INVALID 413 past the limit.
 */
int reg_upload_fits(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		    uint64_t len, uint64_t *size, struct err *e);

/* reg_upload_append - add a body: all of it or nothing; errors as above; *size is then the present size */
int reg_upload_append(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		      const struct spool *body, uint64_t *size, struct err *e);

/*
 * reg_upload_finish - add a last body, which may be empty, and make the upload the blob d, durably
 * As reg_upload_append; and DIGEST_INVALID 400 where the bytes are not d's, which alone ends the upload.
 */
int reg_upload_finish(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		      const struct spool *body, const struct digest *d, uint64_t *size, struct err *e);

/* reg_upload_whole - a blob in one request, with no upload before it; DIGEST_INVALID 400, SIZE_INVALID 413 */
int reg_upload_whole(struct registry *r, const struct name *n, const struct spool *body, const struct digest *d,
		     struct err *e);

/* reg_upload_cancel - the upload is gone. BLOB_UPLOAD_UNKNOWN 404. */
int reg_upload_cancel(struct registry *r, const struct name *n, const struct uuid *uuid, struct err *e);

#endif
