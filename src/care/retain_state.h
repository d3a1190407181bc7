/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_STATE_H
#define BERTH_CARE_RETAIN_STATE_H

/*
 * retain_state: which rules may delete by now, and when rules ran last (doc/RULES.md, "Keep").
 *
 *   berth/rules/keep-HEX, untagged-HEX   when a rule was first seen, in seconds since the epoch; 0: the operator has approved it. HEX is the
 *                                        SHA-256 of the rule and of whatever else decides which tags are its own
 *   berth/rules/last                     when rules ran last, how many tags all runs have removed, and how many wait for rules_delay
 *
 * A rule is new if it has no such file. Where one is lost, the delay begins again.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "conf/config.h"
#include "conf/rules.h"
#include "os/dir.h"
#include "store/store.h"

struct retain_last {
	int64_t when;                   /* seconds since the epoch; 0: never */
	uint64_t removed;               /* tags, by all runs */
	uint64_t waiting;               /* tags that the last run would have removed, had rules_delay been over */
};

/* retain_last_read - the last run; all zeros if there was none, or its file is damaged; 0, or -1 with *e */
int retain_last_read(struct store *st, struct retain_last *out, struct err *e);

struct retain_state {
	struct store *st;               /* borrowed, as is cfg */
	const struct config *cfg;
	int lock;                       /* -1: the run only looks */
	int64_t now;                    /* by the clock of the file system; of a run that only looks by the clock of this machine */
	int64_t since;                  /* pulls are noted since then, in seconds since the epoch: see store/pulled.h */
	struct retain_last last;
	int64_t *from;                  /* for each rule, twice: from when on it may delete: as `keep`, as `untagged`; 0: it may */
	struct names files;             /* of the rules of the configuration */
	struct names first, approved;   /* those of them that are to be written: as seen now, as approved */
};

#define RETAIN_STATE_INIT { .lock = -1, .files = NAMES_INIT, .first = NAMES_INIT, .approved = NAMES_INIT }

/*
 * retain_state_begin - 1; 0 if another run has the lock; -1 with *e
 * changes  the run may delete: it gets the lock
 * approve  the operator's word: what rules say of `keep` may be deleted from now on; of `untagged` a run by hand does and shows nothing
 */
int retain_state_begin(struct retain_state *s, struct store *st, const struct config *cfg, bool changes, bool approve, struct err *e);

/* retain_state_clock - what the clock says by now: the same clock as that of `now`; 0, or -1 with *e */
int retain_state_clock(const struct retain_state *s, int64_t *clock, struct err *e);

/* retain_state_from - from when on a rule may delete what it says of `what` (RULE_KEEP or RULE_UNTAGGED); 0: now */
int64_t retain_state_from(const struct retain_state *s, const struct rule *rule, enum rule_member what);

/*
 * retain_state_end - write down that rules ran, and forget rules that are not in the configuration any more; nothing for a run that only looks
 * whole    all repositories were looked at, and what waits was said: rules that are new count as seen now, or as approved. One that was broken
 *          off has said and approved nothing
 * removed  tags, by this run; waiting  as in struct retain_last; UINT64_MAX: unknown, since not all repositories were looked at
 */
int retain_state_end(struct retain_state *s, bool whole, uint64_t removed, uint64_t waiting, struct err *e);
void retain_state_release(struct retain_state *s);

#endif
