/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_READ_H
#define BERTH_CARE_RETAIN_READ_H

/* retain_read: what a rule has to know of the tags of a repository. Acquires no lock. */

#include "base/err.h"
#include "base/ref.h"
#include "care/retain.h"
#include "registry/registry.h"

struct retain_reading {
	struct registry *r;
	const struct name *n;
	const struct rule *rule;        /* that says RULE_KEEP */
	int64_t now;                    /* seconds since the epoch */
	int64_t since;                  /* see struct retain_tag */
	bool pulls;                     /* read when each tag was pulled, even if no entry asks for it */
	int (*pace)(void *arg, struct err *e);  /* before each tag and each manifest; -1 with *e ends the reading; may be NULL */
	void *arg;
};

static inline int retain_pace(const struct retain_reading *rd, struct err *e)
{
	return rd->pace ? rd->pace(rd->arg, e) : 0;
}

/* retain_read - all tags, in byte order, with all that retain_decide() needs; 0, or -1 with *e; the caller releases *out in any case */
int retain_read(const struct retain_reading *rd, struct retain_set *out, struct err *e);

/* retain_look - one tag as it is now, with digest, pushed and pulled alone: 1, 0 if it does not exist, -1 with *e */
int retain_look(const struct retain_reading *rd, const struct tag *t, struct retain_tag *out, struct err *e);

/* retain_spoken_of - find out for a tag of digest scheme whether the manifest that it speaks of is in the repository; 0, or -1 with *e */
int retain_spoken_of(const struct retain_reading *rd, struct retain_tag *t, struct err *e);

/*
 * retain_facts - set the bits of a tag's entries that ask for what is in manifests, and `unreadable`; 0, or -1 with *e
 * The set has all tags, with digest, pushed and pulled. A platform is read where the other conditions of the entry hold.
 */
int retain_facts(const struct retain_reading *rd, struct retain_set *s, struct err *e);

/*
 * retain_signed - whether a signature refers to a manifest now, by the index: the caller holds the repository's lock, and has compared the
 *                 index (reg_index_ensure). 1, 0, -1 with *e
 */
int retain_signed(const struct retain_reading *rd, const struct digest *d, struct err *e);

#endif
