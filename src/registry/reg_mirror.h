/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_MIRROR_H
#define BERTH_REGISTRY_REG_MIRROR_H

/*
 * reg_mirror: repositories that mirror another registry's: whether a request can be answered from here, and what the relay hands over
 * (doc/CACHE.md, "What is asked, and when", "Rights and trust").
 *
 * A manifest or blob is linked into a mirror only if one of its manifests names it, or the upstream has just given it for this repository. So
 * nobody reads content of another repository by knowing its digest.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "conf/upstream.h"
#include "registry/registry.h"
#include "store/spool.h"

/*
 * reg_mirror_tag - whether a tag can be served without asking its upstream
 * have  the digest that it has here, with its manifest; only with has
 * Returns 1 it was confirmed within `fresh`, 0 the upstream has to be asked, -1 with *e.
 */
int reg_mirror_tag(struct registry *r, const struct config_upstream *u, const struct name *n, const struct tag *t, struct digest *have, bool *has,
		   struct err *e);

/*
 * reg_mirror_stale - whether a tag that cannot be confirmed may be served: 1, 0 it was confirmed longer than `stale` ago, or never, -1 with *e
 * age  seconds since then
 */
int reg_mirror_stale(struct registry *r, const struct config_upstream *u, const struct name *n, const struct tag *t, uint64_t *age, struct err *e);

/*
 * For what the repository lacks:
 * reg_mirror_link_manifest - link the manifest d if an index of the repository names it and the store has it: 1, 0, -1 with *e
 * reg_mirror_link_blob     - the same for a blob; named: whether one names it
 */
int reg_mirror_link_manifest(struct registry *r, const struct name *n, const struct digest *d, struct err *e);
int reg_mirror_link_blob(struct registry *r, const struct name *n, const struct digest *d, bool *named, struct err *e);

/* reg_mirror_has - whether the repository has the manifest or blob d, after linking it as above: 1, 0, -1 with *e */
int reg_mirror_has(struct registry *r, const struct name *n, const struct digest *d, bool manifest, struct err *e);

/*
 * What the relay hands over:
 * reg_mirror_put     - a manifest; ref is a tag, which then counts as confirmed, or its digest. Errors as reg_manifest_put()
 * reg_mirror_confirm - the upstream's tag has this digest. MANIFEST_UNKNOWN 404 if the repository lacks the manifest
 * reg_mirror_blob    - a spooled blob. DENIED 403 if no manifest of the repository names it, if it has more than a tenth of `cache.max_size`, or if
 *                      the cache is full; DIGEST_INVALID 400, SIZE_INVALID 413
 */
int reg_mirror_put(struct registry *r, const struct name *n, const struct ref *ref, const char *content_type, const struct str *bytes,
		   struct digest *out, struct err *e);
int reg_mirror_confirm(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct err *e);
int reg_mirror_blob(struct registry *r, const struct name *n, const struct digest *d, const struct spool *body, struct err *e);

/* reg_mirror_most - how many bytes blobs may have that only mirrors have, by `cache.max_size`, before what exceeds it is evicted */
uint64_t reg_mirror_most(uint64_t max);

#endif
