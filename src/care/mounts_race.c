/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_race: two machines that make the same name at the same time.
 *
 * Owns no state.
 */
#include "care/mounts_act.h"
#include "care/mounts_own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define STEP 10                 /* microseconds */

/*
 * Nothing says to two machines "now". So one of them begins later by a time that follows from who was first: it grows until the other one is first,
 * and shrinks again, faster if it is always the same one. So both begin at the same time again and again.
 */
struct start {
	int64_t later, step;    /* this machine's; less than 0: the other one's */
	int last;               /* 1 this machine was first, -1 the other one */
};

static void adapt(struct start *s, int first)
{
	s->step = first == s->last ? s->step * 2 : s->step / 4;
	if (s->step < STEP)
		s->step = STEP;
	s->later += first * s->step;
	if (llabs(s->later) > (int64_t)ACT_LATER)
		s->later = first * (int64_t)ACT_LATER;
	s->last = first;
}

/* Whether this machine makes the name, and the other one: -1 with errno. */
static int race(struct mounts *m, unsigned how, const struct start *s, const char *name, uint64_t *there)
{
	cleanup_str struct str said = STR_INIT;
	int here, failed;

	if (mounts_tell(m, "race %s %u %" PRId64, name, how, s->later < 0 ? -s->later : 0) < 0)
		return -1;
	here = act_race(m->a, name, how, s->later > 0 ? (uint64_t)s->later : 0);
	failed = errno;
	if (mounts_hear(m, &said) < 0)
		return -1;
	if (str_parse_u64(said.buf, said.len, there) < 0 || *there > 1) {
		errno = EPROTO;
		return -1;
	}
	errno = failed;
	return here;
}

static void try_winner(struct mounts *m, const char *what, unsigned how)
{
	struct start s = { .step = STEP };
	unsigned both = 0, none = 0, theirs = 0, i;

	for (i = 0; i < ACT_RACES && !mounts_over(m); i++) {
		cleanup_str struct str name = STR_INIT;
		uint64_t there = 0;
		int here;

		str_addf(&name, "race-%u-%u", how, i);
		here = race(m, how, &s, name.buf, &there);
		if (here < 0)
			return mounts_failed(m, what, what);
		both += here && there;
		none += !here && !there;
		theirs += !here && there;
		if (here != (int)there)
			adapt(&s, here ? 1 : -1);
	}
	if (mounts_over(m))
		return;
	/* berth makes a link under a lock, or with a name that nobody else uses: that nobody gets one harms nothing. */
	if (both || none)
		mounts_say(m, what, both || how != 1 ? MOUNTS_UNFIT : MOUNTS_INFO, -1,
			   "of %d names %u were made by both machines, %u by none", ACT_RACES, both, none);
	else
		mounts_say(m, what, MOUNTS_OK, -1, "exactly one machine makes each of %d names: %u times the other one", ACT_RACES, theirs);
}

void mounts_winners(struct mounts *m)
{
	static const char *const what[] = { "exclusive open", "link to one name", "mkdir of one name" };
	unsigned how;

	for (how = 0; how < 3 && !mounts_over(m); how++)
		try_winner(m, what[how], how);
}
