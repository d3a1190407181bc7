/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_IMAGE_H
#define BERTH_REGISTRY_REG_IMAGE_H

/* reg_image: all that is known of one manifest, as the object IMAGE of doc/PAGE.md, "The API". */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

#define IMAGE_LAYERS 500
#define IMAGE_CHILDREN 100
#define IMAGE_INDEXES 100
#define IMAGE_REFERRERS 100             /* at all depths together */
#define IMAGE_TAGS 1000
#define IMAGE_ENTRIES 200               /* of each list and object of a configuration, and annotations */
#define IMAGE_TEXT 10000                /* bytes of a text; what follows is cut */

/*
 * reg_image - add the JSON object to out
 * digest  gets that of the manifest
 * Acquires no lock for long: what has to be compared first is compared, or done without (reg_index_ready). MANIFEST_UNKNOWN 404.
 */
int reg_image(struct registry *r, const struct name *n, const struct ref *ref, struct str *out, struct digest *digest, struct err *e);

#endif
