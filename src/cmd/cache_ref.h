/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_CACHE_REF_H
#define BERTH_CMD_CACHE_REF_H

/* cache_ref: images as clients write them, "alpine:3.20", and which of the mirrored repositories they are (doc/CACHE.md, "Commands"). */

#include "base/err.h"
#include "base/ref.h"
#include "conf/config.h"

struct cache_ref {
	struct name n;                  /* the repository here, which is a mirror and allowed to be one */
	bool named;                     /* a tag or a digest was given; else it is "latest" */
	struct ref ref;
};

/* cache_ref_parse - 0, or -1 with *e: it is none, or of no upstream */
int cache_ref_parse(const struct config *c, const char *text, struct cache_ref *out, struct err *e);

/* cache_ref_text - add it as "docker.io/library/alpine:3.20", or with "@" and a digest */
void cache_ref_text(const struct cache_ref *r, struct str *out);

#endif
