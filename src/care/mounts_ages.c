/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_ages: how old the answers of one mount are after a change through the other one.
 *
 * Owns no state. The second mount always looks before the change, so that it caches what is old if it caches anything.
 */
#include "care/mounts_act.h"
#include "care/mounts_own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"

#define ROUNDS 4
#define ENOUGH 2                /* rounds with an old answer */

/* One kind of change, on names that end in a number. */
static int make(int d, const char *name, size_t len)
{
	return os_write_file(d, name, "0123456789", len, true);
}
static int nothing(int d, const char *name)
{
	(void)d;
	(void)name;
	return 0;
}
static int make_short(int d, const char *name)
{
	return make(d, name, 3);
}
static int make_dir(int d, const char *name)
{
	return os_mkdirat(d, name, 0700);
}
static int removal(int d, const char *name)
{
	return os_unlinkat(d, name, 0);
}
static int replacement(int d, const char *name)
{
	return make(d, "longer", 7) < 0 ? -1 : os_renameat(d, "longer", d, name);
}
static int rename_away(int d, const char *name)
{
	cleanup_str struct str to = STR_INIT;

	str_addf(&to, "%s-renamed", name);
	return os_renameat(d, name, d, to.buf);
}
static int append(int d, const char *name)
{
	cleanup_fd int fd = os_open(d, name, O_WRONLY | O_APPEND, 0);

	return fd < 0 || os_write_full(fd, "more", 4) < 0 || os_fsync(fd) < 0 ? -1 : 0;
}

static const struct change {
	const char *name;
	int (*before)(int dirfd, const char *name), (*change)(int dirfd, const char *name);
	bool there;             /* whether the name is there afterwards */
	uint64_t size;          /* or ACT_DIR */
} changes[] = {
	{ "a new file", nothing, make_short, true, 3 },
	{ "a new directory", nothing, make_dir, true, ACT_DIR },
	{ "a removed file", make_short, removal, false, 0 },
	{ "a replaced file", make_short, replacement, true, 7 },
	{ "a renamed directory", make_dir, rename_away, false, 0 },
	{ "a longer file", make_short, append, true, 7 },
};

/*
 * How long until the other mount answers rightly: 0 at once, -1 with errno; MOUNTS_NEVER: not in that time. It measures that itself from
 * when it hears of the change: what an order takes to reach it is not seen.
 */
static int64_t age_of(struct mounts *m, const struct change *c, enum act_look how, const char *name)
{
	uint64_t waited;

	if (c->before(m->a, name) < 0)
		return -1;
	/* It has to know the state before the change; a look that comes too early would not be one. */
	if (mounts_ask(m, &waited, "await %s %d %d 0", name, (int)how, c->before != nothing) < 0 || c->change(m->a, name) < 0 ||
	    mounts_ask(m, &waited, "await %s %d %d %" PRIu64, name, (int)how, c->there, c->size) < 0)
		return -1;
	return waited > MOUNTS_NEVER ? (int64_t)MOUNTS_NEVER : (int64_t)waited;
}

static void try_change(struct mounts *m, const struct change *c, unsigned number)
{
	static const char *const by[ACT_LOOKS] = { "open", "stat", "a list of names" };
	cleanup_str struct str text = STR_INIT;
	int64_t worst = 0;
	enum act_look how;
	unsigned i;

	for (how = BY_OPEN; how < ACT_LOOKS; how++) {
		int64_t oldest = 0;
		unsigned stale = 0;

		if (how == BY_LIST && c->there && c->before != nothing)
			continue;       /* a list has only names */
		for (i = 0; i < ROUNDS && stale < ENOUGH && !mounts_over(m); i++) {
			cleanup_str struct str name = STR_INIT;
			int64_t age;

			str_addf(&name, "age-%u-%u-%u", number, (unsigned)how, i);
			age = age_of(m, c, how, name.buf);
			if (age < 0)
				return mounts_failed(m, c->name, "a change");
			oldest = age > oldest ? age : oldest;
			stale += age > 0;
		}
		str_addf(&text, "%s%s ", text.len ? ", " : "", by[how]);
		if (oldest)
			str_addf(&text, "%" PRId64 " ms", oldest / 1000 + 1);
		else
			str_puts(&text, "at once");
		worst = oldest > worst ? oldest : worst;
	}
	if (mounts_over(m))
		return;
	m->caches |= worst > 0;
	mounts_say(m, c->name, worst ? MOUNTS_STALE : MOUNTS_OK, worst, "seen by the other machine: %s", text.buf);
}

static void say_stale(struct mounts *m)
{
	static const char name[] = "stale handles (ESTALE)";
	uint64_t n;

	if (mounts_ask(m, &n, "stale") < 0)
		return mounts_failed(m, name, "asking");
	mounts_say(m, name, MOUNTS_INFO, -1, n ? "the other machine had to look again %u times" : "no look of the other machine was one",
		   (unsigned)(n < 1000000 ? n : 1000000));
}

void mounts_ages(struct mounts *m)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(changes) && !mounts_over(m); i++)
		try_change(m, &changes[i], i);
	if (!mounts_over(m))
		say_stale(m);
}

static void link_counts(struct mounts *m)
{
	static const char name[] = "link counts";
	uint64_t links;

	if (os_linkat(m->a, "open", m->a, "open-too", 0) < 0)
		return mounts_failed(m, name, "link(2)");
	if (mounts_ask(m, &links, "links open-too") < 0)
		return mounts_failed(m, name, "stat");
	m->caches |= links != 2;
	mounts_say(m, name, links == 2 ? MOUNTS_OK : MOUNTS_STALE, -1, "the other machine sees %u of 2", (unsigned)links);
}

/* A worker may have a file open that another machine removes or replaces; nginx may be sending it. */
void mounts_open_files(struct mounts *m)
{
	static const char name[] = "an open file that is removed";
	static char bytes[MOUNTS_OPEN_FILE];
	uint64_t n;

	if (os_write_file(m->a, "open", bytes, sizeof(bytes), true) < 0)
		return mounts_failed(m, name, "writing");
	if (mounts_ask(m, NULL, "open open") < 0)
		return mounts_failed(m, name, "open");
	link_counts(m);
	if (mounts_over(m))
		return;
	if (os_unlinkat(m->a, "open", 0) < 0 || os_unlinkat(m->a, "open-too", 0) < 0)
		return mounts_failed(m, name, "unlink");
	if (mounts_ask(m, &n, "read") == 0)
		mounts_say(m, name, MOUNTS_INFO, -1, "%s",
			   n == sizeof(bytes) ? "can be read to its end" : "cannot be read any more: it has become shorter");
	else if (m->b < 0)
		mounts_failed(m, name, "reading");
	else
		mounts_say(m, name, MOUNTS_INFO, -1, "cannot be read any more: %s", strerror(errno));
}
