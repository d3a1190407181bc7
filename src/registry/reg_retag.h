/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_RETAG_H
#define BERTH_REGISTRY_REG_RETAG_H

/* reg_retag: pointing a tag to a manifest: link, index, and the memory of what it pointed to. */

#include "base/digest.h"
#include "base/err.h"
#include "base/event.h"
#include "base/ref.h"
#include "registry/reg_facts.h"
#include "registry/registry.h"

/* What is known of the manifest, for the summary (reg_summary.h). */
struct reg_retag_of {
	const struct str *bytes;        /* the manifest's; NULL: it is read if that is needed */
	bool checked;                   /* see facts_of() */
	struct facts facts;             /* found out once, if at all; the caller releases it */
};

/*
 * reg_retag - point the tag to d, whose revision link is durable
 * The caller holds the repository's lock and lock_collector, and has made the index current. Durable as tag_set(). 0, or -1 with *e
 */
int reg_retag(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct reg_retag_of *of, struct err *e);

/*
 * reg_retag_event - how the journal calls that: EVENT_PUSH, or EVENT_MOVE with what the tag points to before, in *before
 * t  NULL: a manifest without a tag. 0, or -1 with *e
 */
int reg_retag_event(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct event *ev,
		    struct digest *before, struct err *e);

#endif
