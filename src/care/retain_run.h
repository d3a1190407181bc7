/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_RUN_H
#define BERTH_CARE_RETAIN_RUN_H

/*
 * retain_run: a run of the rules: decide and remove, while the registry serves (doc/RULES.md, "Keep").
 *
 * Tags are removed in batches under the lock of their repository, and there each is looked at again: one that was moved, pushed or pulled
 * since it was read stays. So do all others if what they are too old for has changed: then the repository is read once more. A run that
 * is killed leaves each tag whole or gone.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "care/retain.h"
#include "registry/registry.h"

struct retain_told {                    /* a tag and what is decided */
	const struct name *n;
	const struct rule *rule;
	const struct retain_tag *tag;
	int64_t now;                    /* seconds since the epoch, for retain_say() */
	int64_t from;                   /* the rule deletes from then on only; 0: now */
};

struct retain_options {
	bool dry_run;                   /* tell, and change nothing: no lock is acquired */
	/* The operator's word: no `keep` waits for rules_delay, in this run and, if it has looked at all repositories, from its end on. */
	bool by_hand;
	const char *repo;               /* only repositories that match this pattern (base/pattern.h); NULL: all */

	/* Called for each tag: in a dry run for all, else for those that were removed. May be NULL. */
	void (*tell)(void *arg, const struct retain_told *t);
	int (*pace)(void *arg, struct err *e);  /* as in struct retain_reading; may be NULL */
	void *arg;
};

struct retain_rule_sum {                /* of one rule */
	uint64_t removed;               /* tags that were removed, or in a dry run would be */
	uint64_t waiting, waiting_bytes;        /* tags that would be if rules_delay were over, and what only they need in their repository */
	int64_t from;                   /* see struct retain_told */
};

struct retain_result {
	uint64_t repositories;          /* that a rule's `keep` is for */
	uint64_t tags;                  /* that were looked at */
	uint64_t removed, waiting, bytes;       /* the sums of those of the rules; bytes: of `waiting`, in a dry run of `removed` */
	uint64_t changed;               /* tags that stay since they changed meanwhile */
	uint64_t behind;                /* tags that stay since the clock is behind */
};

struct retain_run;

/*
 * retain_begin - an owned run: 1, 0 another one is running, -1 with *e
 * Everything that is borrowed stays until retain_end().
 */
int retain_begin(struct retain_run **out, struct registry *r, const struct retain_options *o, struct err *e);

/* retain_all - all repositories; 0, or -1 with *e */
int retain_all(struct retain_run *run, struct err *e);

/*
 * retain_orphans - in one repository, remove the tags that speak of a manifest which is not there any more, and no others
 * Returns how many, or -1 with *e.
 */
int retain_orphans(struct retain_run *run, const struct name *n, struct err *e);

/* retain_untagged - whether a rule's `untagged` may remove manifests by now */
bool retain_untagged(const struct retain_run *run, const struct rule *rule);

/* retain_sums - what came of each rule of the configuration, in its order; borrowed */
const struct retain_rule_sum *retain_sums(const struct retain_run *run);

/* retain_end - end the run; whole: it was not broken off, so it is written down; 0, or -1 with *e */
int retain_end(struct retain_run **run, bool whole, struct retain_result *out, struct err *e);

/* retain_log - one event `rules` for each `keep` and each `untagged` that waits, and one for what was removed; before retain_end() */
void retain_log(const struct retain_run *run);

#endif
