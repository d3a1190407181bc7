/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_FSCK_REFS_H
#define BERTH_CARE_FSCK_REFS_H

/*
 * fsck_refs: what stored bytes say of the content that they name.
 *
 * As references.h does, this judges nothing; it gives what a check has to know of each: its size, and whether it may
 * be elsewhere.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"

enum fsck_ref_kind { FREF_CONFIG, FREF_LAYER, FREF_MANIFEST, FREF_OTHER };     /* FREF_OTHER: of an index, a blob or a manifest */

struct fsck_ref {
	enum fsck_ref_kind kind;
	struct digest digest;
	bool optional;                  /* of a non-distributable type, or with urls */
	bool has_size;
	uint64_t size;
};

struct fsck_refs {
	struct fsck_ref *v;             /* owned */
	size_t count, cap;
};

void fsck_refs_release(struct fsck_refs *r);
#define cleanup_fsck_refs __attribute__((cleanup(fsck_refs_release)))

/* fsck_refs_read - 1 with *r filled (it need not be initialised), or 0 where the bytes are no JSON object */
int fsck_refs_read(struct fsck_refs *r, const char *buf, size_t len);

const char *fsck_ref_text(enum fsck_ref_kind kind);     /* "layer" */

#endif
