/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_locks: whether two mounts exclude each other.
 *
 * Owns no state.
 */
#include "care/mounts_act.h"
#include "care/mounts_own.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/time.h"
#include "os/file.h"

#define CLIENT_MS 300000        /* within which the lock of a client of the file system that has died is free */
#define HANDOVERS 20

static void try_locks(struct mounts *m)
{
	static const char name[] = "locks of two machines";
	cleanup_fd int a = act_lock(m->a, true, 0);

	if (a < 0)
		return mounts_failed(m, name, "flock");
	if (mounts_ask(m, NULL, "lock 0 alone 0") == 0)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "two machines have one lock (flock) at the same time");
	if (errno != EWOULDBLOCK)
		return mounts_failed(m, name, "flock");
	os_cleanup_fd(&a);
	a = act_lock(m->a, false, 0);
	if (a < 0 || mounts_ask(m, NULL, "lock 0 shared %d", ACT_PASSED_MS) < 0)
		return mounts_failed(m, name, "flock, shared,");
	if (mounts_ask(m, NULL, "lock 1 alone 0") == 0)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "a shared lock of one machine does not keep an exclusive one of the other out");
	mounts_say(m, name, MOUNTS_OK, -1, "flock keeps the other machine out");
}

void mounts_locks(struct mounts *m)
{
	try_locks(m);
	mounts_ask(m, NULL, "unlock 0");
	mounts_ask(m, NULL, "unlock 1");
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
	fd = act_lock(m->a, true, ACT_PASSED_MS);
	if (fd < 0)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "it is not free after %d s", ACT_PASSED_MS / 1000);
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
	fd = act_lock(m->a, true, ACT_PASSED_MS);
	if (fd < 0 || act_replace(m->a, "handed", text) < 0 || os_write_file(m->a, file, "x", 1, true) < 0)
		return -1;
	os_cleanup_fd(&fd);
	fd = -1;
	if (mounts_ask(m, NULL, "lock 0 alone %d", ACT_PASSED_MS) < 0 || mounts_ask(m, &has, "contains handed %s", text) < 0 ||
	    mounts_ask(m, &links, "links %s", file) < 0 || mounts_ask(m, NULL, "unlock 0") < 0)
		return -1;
	return has && links;
}

static int turn_to_this(struct mounts *m, const char *file, const char *text)
{
	cleanup_fd int fd = -1;
	struct stat sb;

	act_contains(m->a, "handed", text);
	fstatat(m->a, file, &sb, 0);
	if (mounts_ask(m, NULL, "lock 0 alone %d", ACT_PASSED_MS) < 0 || mounts_ask(m, NULL, "replace handed %s", text) < 0 ||
	    mounts_ask(m, NULL, "make %s", file) < 0 || mounts_ask(m, NULL, "unlock 0") < 0)
		return -1;
	fd = act_lock(m->a, true, ACT_PASSED_MS);
	if (fd < 0)
		return -1;
	return act_contains(m->a, "handed", text) && fstatat(m->a, file, &sb, 0) == 0;
}

void mounts_handover(struct mounts *m)
{
	static const char name[] = "what was done under a lock";
	unsigned stale = 0, i;

	if (act_replace(m->a, "handed", "begin") < 0)
		return mounts_failed(m, name, "rename");
	killed_holder(m);
	for (i = 0; i < HANDOVERS; i++) {
		cleanup_str struct str file = STR_INIT, text = STR_INIT;
		int seen;

		str_addf(&text, "turn-%u", i);
		str_addf(&file, "made-%u", i);
		seen = i % 2 ? turn_to_this(m, file.buf, text.buf) : turn_to_other(m, file.buf, text.buf);
		if (seen < 0)
			return mounts_failed(m, name, "a change under the lock");
		stale += !seen;
	}
	if (stale)
		mounts_say(m, name, MOUNTS_STALE, -1, "%u times of %d the next one that got the lock saw something older", stale, HANDOVERS);
	else
		mounts_say(m, name, MOUNTS_OK, -1, "the next one that gets the lock sees it, %d times", HANDOVERS);
}

/* Two processes go through the same names at the same time. */
void mounts_winners(struct mounts *m)
{
	static const char *const name[] = { "exclusive open", "link to one name", "mkdir of one name" };
	unsigned how, i;

	for (how = 0; how < 3; how++) {
		cleanup_str struct str there = STR_INIT;
		char here[ACT_RACES + 1];
		unsigned both = 0, none = 0;

		if (mounts_tell(m, "race %u", how) < 0)
			return mounts_failed(m, name[how], "asking");
		act_race(m->a, how, here);
		if (mounts_hear(m, &there) < 0 || there.len != ACT_RACES)
			return mounts_failed(m, name[how], "asking");
		for (i = 0; i < ACT_RACES; i++) {
			both += here[i] == '1' && there.buf[i] == '1';
			none += here[i] == '0' && there.buf[i] == '0';
		}
		/* GlusterFS tells both that a link is there. berth makes a link under a lock, or with a name that nobody else uses. */
		if (both || none)
			mounts_say(m, name[how], both || how != 1 ? MOUNTS_UNFIT : MOUNTS_INFO, -1,
				   "of %d names %u were made by both machines, %u by none", ACT_RACES, both, none);
		else
			mounts_say(m, name[how], MOUNTS_OK, -1, "exactly one machine makes each of %d names", ACT_RACES);
	}
}

void mounts_client(struct mounts *m)
{
	static const char name[] = "lock of a killed client";
	cleanup_fd int fd = -1;
	uint64_t begun;

	if (mounts_ask(m, NULL, "hold") < 0)
		return mounts_failed(m, name, "flock");
	begun = time_now_usec();
	if (mounts_ask(m, NULL, "end-client %d", (int)m->o->client) < 0)
		return mounts_failed(m, name, "kill");
	fd = act_lock(m->a, true, CLIENT_MS);
	if (fd < 0)
		mounts_say(m, name, MOUNTS_STALE, -1, "it is not free after %d s: have the file system end sessions of dead clients sooner",
			   CLIENT_MS / 1000);
	else
		mounts_say(m, name, MOUNTS_INFO, (int64_t)(time_now_usec() - begun), "until another machine has it");
}
