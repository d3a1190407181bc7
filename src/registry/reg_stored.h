/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_STORED_H
#define BERTH_REGISTRY_REG_STORED_H

/*
 * reg_stored: stored manifests, found and read (distribution-spec, "Pulling manifests").
 *
 * reg_index reads manifests in order to compare the index with them, and reg_manifest calls reg_index before it changes
 * them: so reading is a module of its own, below both.
 */

#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

struct stored_manifest {
	struct digest digest;   /* as requested, or the digest that the tag points to */
	struct digest content;  /* the bytes are stored under it */
	int fd;                 /* they; owned; -1 where they are in memory */
	struct str bytes;       /* in memory; owned */
	uint64_t size;          /* how many */
};

#define STORED_MANIFEST_INIT { .fd = -1, .bytes = STR_INIT }

void stored_manifest_release(struct stored_manifest *m);
#define cleanup_stored_manifest __attribute__((cleanup(stored_manifest_release)))

/*
 * reg_stored_find - open a manifest by tag or digest; acquires no lock
 * MANIFEST_UNKNOWN 404 if the repository lacks it or the stored bytes exceed manifests.max_size.
 */
int reg_stored_find(struct registry *r, const struct name *n, const struct ref *ref, struct stored_manifest *out,
		    struct err *e);

/* reg_stored_read - append the manifest's bytes to *bytes, and the Content-Type that follows from them to *type */
int reg_stored_read(struct registry *r, const struct stored_manifest *m, struct str *bytes, struct str *type, struct err *e);

/*
 * reg_stored_bytes - append the bytes of the manifest d: 1; 0 if the repository lacks it; -1 with *e
 * MANIFEST_INVALID 400 if they exceed manifests.max_size: then nobody can pull it.
 */
int reg_stored_bytes(struct registry *r, const struct name *n, const struct digest *d, struct str *bytes, struct err *e);

/*
 * reg_stored_content - append the bytes of a manifest that needs no link in any repository: 1, 0 if there is no such content or it is larger than
 *                      manifests.max_size, -1 with *e
 */
int reg_stored_content(struct registry *r, const struct digest *content, struct str *bytes, struct err *e);

/*
 * reg_stored_referrer - read the manifest d, and what it says of its subject (manifest_scan_referrer)
 * descriptor  JSON is appended to it
 * read        is incremented by the bytes read
 *
 * Returns 1; 0 if the repository lacks the manifest or the manifest names no subject; -1 with *e.
 */
int reg_stored_referrer(struct registry *r, const struct name *n, const struct digest *d, struct digest *subject,
			struct str *descriptor, size_t *read, struct err *e);

/*
 * reg_stored_subject - of a manifest that is about to go: 1, and the subject that it names; 0 it names none; -1 it cannot be read
 */
int reg_stored_subject(struct registry *r, const struct name *n, const struct digest *d, struct digest *subject);

#endif
