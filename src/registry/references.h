/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REFERENCES_H
#define BERTH_REGISTRY_REFERENCES_H

/*
 * references: what stored bytes name, read with tolerance.
 *
 * Unlike manifest_parse this judges nothing: whatever another registry stored, what it names must be found, or the
 * collector would take it away. So every text that is a digest counts as a name, under whatever key it stands: some
 * readers ignore the case of keys, and types that are not known yet have keys of their own.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"

struct references {
	struct digest *v;               /* owned: every digest that stands anywhere in it, but the subject's */
	size_t count, cap;
	bool has_subject;
	struct digest subject;
};

#define REFERENCES_INIT { 0 }

void references_release(struct references *r);
#define cleanup_references __attribute__((cleanup(references_release)))

/* references_read - 1 with *r filled, or 0 where the bytes are no JSON that every reader understands alike, so that nothing is known */
int references_read(struct references *r, const char *buf, size_t len);

#endif
