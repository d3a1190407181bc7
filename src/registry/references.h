/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REFERENCES_H
#define BERTH_REGISTRY_REFERENCES_H

/*
 * references: what stored bytes name, read with tolerance.
 *
 * Unlike manifest_parse this judges nothing: whatever another registry stored, what it names must be found, or the
 * collector would take it away.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"

struct references {
	struct digest *v;               /* owned: first the entries of `manifests`, then config, layers, schema 1's fsLayers */
	size_t count, cap;
	size_t nmanifests;              /* how many of them are entries of `manifests` */
	bool has_subject;
	struct digest subject;          /* not among v */
};

#define REFERENCES_INIT { 0 }

void references_release(struct references *r);
#define cleanup_references __attribute__((cleanup(references_release)))

/* references_read - 1 with *r filled, or 0 where the bytes are no JSON object, so that nothing is known */
int references_read(struct references *r, const char *buf, size_t len);

#endif
