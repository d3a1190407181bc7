/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_QUOTA_HOLD_H
#define BERTH_STORE_QUOTA_HOLD_H

/*
 * quota_hold: a group's table under its lock (doc/STORE.md, "Quotas").
 *
 * The lock is one of 256 stripes, and the innermost lock of the store: whoever holds it waits for no other, but for one of a second
 * group of a higher stripe.
 */

#include <stdbool.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/quota_count.h"
#include "store/quota_rules.h"
#include "store/quota_table.h"
#include "store/store.h"

struct quota_hold {
	struct store *st;       /* NULL: nothing is held */
	struct quota_group g;
	int lock;               /* borrowed from the store */
	int fd;                 /* borrowed from the store where it keeps tables open, else `owned`; -1: there is no table to count in */
	bool owned, shared;     /* shared: another hold has the lock already, and releases it */
	bool current;           /* the table is right now: what it says may be believed */
	struct quota_head head; /* valid if fd is */
};

#define QUOTA_HOLD_INIT { .st = NULL, .lock = -1, .fd = -1 }

/*
 * quota_hold - lock a group, read the header of its table, and settle what a killed process has left there
 * A table by other rules, or one that is broken, is none. UNAVAILABLE 503 if the lock stays busy: somebody may be counting.
 */
int quota_hold(struct quota_hold *h, struct store *st, const struct quota_group *g, struct err *e);

/* quota_hold_two - the same for two groups, which are not the same */
int quota_hold_two(struct quota_hold *a, struct quota_hold *b, struct store *st, const struct quota_group *ga, const struct quota_group *gb,
		   struct err *e);
void quota_release(struct quota_hold *h);
#define cleanup_quota_hold __attribute__((cleanup(quota_release)))

/*
 * quota_hurry     - this process holds the collector's lock alone, so that all writers wait for it: until it releases that lock, a group's
 *                   lock that is busy is UNAVAILABLE at once. Somebody may be counting, which takes as long as it takes
 * quota_was_busy  - whether that has happened since
 * quota_try_again - what failed has released its locks: 0 it failed for that, and the group's lock is free by now: do it again, *e is clear;
 *                   -1 it failed for another reason, or the lock stays busy: *e says so
 */
void quota_hurry(struct store *st);
bool quota_was_busy(const struct store *st);
int quota_try_again(struct store *st, struct err *e);

/*
 * quota_hold_count - count the group anew from its links, whatever its table says; the table is current afterwards
 * quota_hold_again - the same because the table is damaged or lacks a link that is there, which is said in the log
 */
int quota_hold_count(struct quota_hold *h, struct err *e);
int quota_hold_again(struct quota_hold *h, struct err *e);

/* quota_hold_current - the same, unless the table is current */
int quota_hold_current(struct quota_hold *h, struct err *e);

/* quota_hold_room - make a larger table if this one is full */
int quota_hold_room(struct quota_hold *h, struct err *e);

/*
 * quota_hold_begin  - write down what is about to be done, before it is; durable on a file system of several machines
 * quota_hold_end    - it has been done, or not: `there`: whether the link is there now. Counts it, and forgets the intent
 * quota_hold_settle - the same where nobody knows: the link is looked at
 */
int quota_hold_begin(struct quota_hold *h, const struct quota_intent *i, struct err *e);
int quota_hold_end(struct quota_hold *h, bool there, struct err *e);
int quota_hold_settle(struct quota_hold *h, struct err *e);

/* quota_hold_break - from now on the table is none: it has to be counted again */
int quota_hold_break(struct quota_hold *h, struct err *e);

/* quota_hold_mark - the same, but what it says may still be used: quota_hold_replace() makes it whole again */
int quota_hold_mark(struct quota_hold *h, struct err *e);

/*
 * quota_hold_load    - all records of the table; none where there is no table; e->sys is EUCLEAN if the file is damaged
 * quota_hold_whole   - the same, but a damaged table is counted anew first, which is said in the log
 * quota_hold_replace - put these in their place
 */
int quota_hold_load(struct quota_hold *h, struct quota_memory *m, struct err *e);
int quota_hold_whole(struct quota_hold *h, struct quota_memory *m, struct err *e);
int quota_hold_replace(struct quota_hold *h, const struct quota_memory *m, struct err *e);

/* quota_hold_watch - remember it for quota_crossed() if the group had `before` bytes, and comes to QUOTA_WARN per cent of its limit by now */
#define QUOTA_WARN 90
void quota_hold_watch(const struct quota_hold *h, uint64_t before);

/* quota_warned_from - QUOTA_WARN per cent of a limit, bytes */
uint64_t quota_warned_from(uint64_t limit);

/*
 * quota_peek - the header of a group's table, without its lock: 1 it is current, 0 nobody can tell, -1 with *e
 * A change that is being made may not be counted yet: only what is far from the limit can be decided.
 */
int quota_peek(struct store *st, const struct quota_group *g, struct quota_head *out, struct err *e);

/* quota_refuse - DENIED 403: the group has `used` bytes, and `more` do not fit */
int quota_refuse(const struct quota_group *g, uint64_t used, uint64_t more, struct err *e);

/* quota_fits_in - whether `more` bytes beside `used` are within the group's limit; nothing always is */
bool quota_fits_in(const struct quota_group *g, uint64_t used, uint64_t more);

#endif
