/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_locks: whether two mounts exclude each other.
 *
 * Owns no state.
 */
#include "care/mounts_act.h"
#include "care/mounts_own.h"

#include <errno.h>

#include "base/time.h"
#include "os/file.h"

#define HANDOVERS 20

/* This machine gets the lock, or the other one: 1, 0 if somebody has it, -1 with errno. *fd: this one's. */
static int get_lock(struct mounts *m, const char *name, bool here, bool alone, unsigned ms, int *fd)
{
	bool has;

	if (here)
		has = (*fd = act_lock(m->a, name, alone, ms)) >= 0;
	else
		has = mounts_ask(m, NULL, "lock %s %s %u", name, alone ? "alone" : "shared", ms) == 0;
	return has ? 1 : errno == EWOULDBLOCK ? 0 : -1;
}

/* What is wrong if one has the lock, and the other one tries: NULL, nothing; an empty text, a call failed. */
static const char *try_pair(struct mounts *m, const char *name, bool here, bool alone, bool second)
{
	cleanup_fd int fd = -1;
	bool both = !alone && !second;
	int rc = get_lock(m, name, here, alone, 0, &fd);

	if (rc == 0)
		return "a lock that nobody has is not given";
	if (rc > 0)
		rc = get_lock(m, name, !here, second, both ? ACT_PASSED_MS : 0, &fd);
	if (rc < 0)
		return "";
	if (rc == both)
		return mounts_ask(m, NULL, "unlock") < 0 ? "" : NULL;
	if (both)
		return "two machines cannot share a lock";
	if (alone && second)
		return "two machines have one lock (flock) at the same time";
	return alone ? "an exclusive lock of one machine does not keep a shared one of the other out" :
		       "a shared lock of one machine does not keep an exclusive one of the other out";
}

void mounts_locks(struct mounts *m)
{
	static const char name[] = "locks of two machines";
	unsigned i;

	for (i = 0; i < 8 && !mounts_over(m); i++) {    /* each with a file of its own: nothing of the one before it is left */
		cleanup_str struct str file = STR_INIT;
		const char *wrong;

		str_addf(&file, "pair-%u", i);
		wrong = try_pair(m, file.buf, i & 1, !(i & 2), !(i & 4));

		if (wrong && !*wrong)
			return mounts_failed(m, name, "flock");
		if (wrong) {
			mounts_ask(m, NULL, "unlock");
			return mounts_say(m, name, MOUNTS_UNFIT, -1, "%s", wrong);
		}
	}
	if (!mounts_over(m))
		mounts_say(m, name, MOUNTS_OK, -1, "flock keeps the other machine out, in both directions, and shared locks are shared");
}

static void killed_holder(struct mounts *m)
{
	static const char name[] = "lock of a killed process";
	cleanup_fd int fd = -1;
	uint64_t begun;

	if (mounts_ask(m, NULL, "hold") < 0)
		return mounts_failed(m, name, "flock");
	begun = time_now_usec();
	if (mounts_ask(m, NULL, "let-go") < 0)
		return mounts_failed(m, name, "kill");
	fd = act_lock(m->a, ACT_LOCK, true, ACT_PASSED_MS);
	if (fd < 0 && errno != EWOULDBLOCK)
		return mounts_failed(m, name, "flock");
	if (fd < 0 && !mounts_over(m))
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "it is not free after %d s", ACT_PASSED_MS / 1000);
	if (fd >= 0)
		mounts_say(m, name, MOUNTS_OK, (int64_t)(time_now_usec() - begun), "until the other machine has it");
}

/*
 * All that berth changes it changes under a lock, and whoever has the lock next relies on what it sees. The two directories take turns;
 * each time the next one has looked before, so that its cache has what is old.
 */
/* One turn: who has the lock changes a file and makes one; whether the next one that gets it sees both: 1, 0, -1 with errno. */
static int turn_to_other(struct mounts *m, const char *file, const char *text)
{
	cleanup_fd int fd = -1;
	uint64_t has, links;

	if (mounts_ask(m, &has, "contains handed %s", text) < 0 || mounts_ask(m, &links, "links %s", file) < 0)
		return -1;
	fd = act_lock(m->a, ACT_LOCK, true, ACT_PASSED_MS);
	if (fd < 0 || act_replace(m->a, "handed", text) < 0 || os_write_file(m->a, file, "x", 1, true) < 0)
		return -1;
	os_cleanup_fd(&fd);
	fd = -1;
	if (mounts_ask(m, NULL, "lock " ACT_LOCK " alone %d", ACT_PASSED_MS) < 0 || mounts_ask(m, &has, "contains handed %s", text) < 0 ||
	    mounts_ask(m, &links, "links %s", file) < 0 || mounts_ask(m, NULL, "unlock") < 0)
		return -1;
	return has && links;
}

static int turn_to_this(struct mounts *m, const char *file, const char *text)
{
	cleanup_fd int fd = -1;
	int has, links;

	if (act_contains(m->a, "handed", text) < 0 || act_links(m->a, file) < 0 ||
	    mounts_ask(m, NULL, "lock " ACT_LOCK " alone %d", ACT_PASSED_MS) < 0 || mounts_ask(m, NULL, "replace handed %s", text) < 0 ||
	    mounts_ask(m, NULL, "make %s", file) < 0 || mounts_ask(m, NULL, "unlock") < 0)
		return -1;
	fd = act_lock(m->a, ACT_LOCK, true, ACT_PASSED_MS);
	if (fd < 0)
		return -1;
	has = act_contains(m->a, "handed", text);
	links = act_links(m->a, file);
	return has < 0 || links < 0 ? -1 : has && links;
}

void mounts_handover(struct mounts *m)
{
	static const char name[] = "what was done under a lock";
	unsigned stale = 0, i;

	if (act_replace(m->a, "handed", "begin") < 0)
		return mounts_failed(m, name, "rename");
	killed_holder(m);
	for (i = 0; i < HANDOVERS && !mounts_over(m); i++) {
		cleanup_str struct str file = STR_INIT, text = STR_INIT;
		int seen;

		str_addf(&text, "turn-%u", i);
		str_addf(&file, "made-%u", i);
		seen = i % 2 ? turn_to_this(m, file.buf, text.buf) : turn_to_other(m, file.buf, text.buf);
		if (seen < 0)
			return mounts_failed(m, name, "a change under the lock");
		stale += !seen;
	}
	if (mounts_over(m))
		return;
	m->caches |= stale > 0;
	if (stale)
		mounts_say(m, name, MOUNTS_STALE, -1, "%u times of %d the next one that got the lock saw something older", stale, HANDOVERS);
	else
		mounts_say(m, name, MOUNTS_OK, -1, "the next one that gets the lock sees it, %d times", HANDOVERS);
}
