/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_DESCRIBE_H
#define BERTH_REGISTRY_DESCRIBE_H

/* describe: the descriptor by which the referrers of a subject list a manifest (distribution-spec, "Listing Referrers"). */

#include <stddef.h>
#include "base/digest.h"
#include "base/str.h"

/*
 * manifest_describe - what stored bytes say of a subject
 * d  the digest that they are stored under
 *
 * Returns 1 with the subject and the descriptor as JSON added to *out: mediaType, digest, size, artifactType (that of
 * the manifest, else its config's type; none for an index without one) and annotations. Returns 0 where they name no
 * subject, or are no manifest that can be read: what another registry stored is not judged here.
 */
int manifest_describe(const char *buf, size_t len, const struct digest *d, struct digest *subject, struct str *out);

#endif
