/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_ages: how old the answers of one mount are after a change through the other one.
 *
 * Owns no state. The second mount always looks before the change, so that it caches what is old if it caches anything.
 */
#include "care/mounts_own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/process.h"

#define ROUNDS 4
#define ENOUGH 2                /* rounds with an old answer */
#define WAIT UINT64_C(30000000) /* microseconds until a change counts as never seen */

enum look { BY_OPEN, BY_STAT, BY_LIST, LOOKS };

/* What a look finds: absent, or how long the file is, or -1 for a directory. */
struct found {
	bool there;
	int64_t size;
};

static struct found of_stat(int rc, const struct stat *sb)
{
	return rc < 0 ? (struct found){ false, 0 } : (struct found){ true, S_ISDIR(sb->st_mode) ? -1 : (int64_t)sb->st_size };
}

static struct found in_list(int dirfd, const char *name)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t i;

	if (os_dir_list(dirfd, ".", DIR_ALL, &names) < 0)
		return (struct found){ false, 0 };
	for (i = 0; i < names.count; i++)
		if (strcmp(names.v[i], name) == 0)
			return (struct found){ true, 0 };
	return (struct found){ false, 0 };
}

static struct found look(int dirfd, const char *name, enum look how)
{
	cleanup_fd int fd = -1;
	struct stat sb;

	if (how == BY_LIST)
		return in_list(dirfd, name);
	if (how == BY_STAT)
		return of_stat(fstatat(dirfd, name, &sb, AT_SYMLINK_NOFOLLOW), &sb);
	fd = os_open(dirfd, name, O_RDONLY, 0);
	return of_stat(fd < 0 ? -1 : fstat(fd, &sb), &sb);
}

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
	return mkdirat(d, name, 0700);
}
static int removal(int d, const char *name)
{
	return unlinkat(d, name, 0);
}
static int replacement(int d, const char *name)
{
	return make(d, "longer", 7) < 0 ? -1 : renameat(d, "longer", d, name);
}
static int rename_away(int d, const char *name)
{
	cleanup_str struct str to = STR_INIT;

	str_addf(&to, "%s-renamed", name);
	return renameat(d, name, d, to.buf);
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
	int64_t size;
} changes[] = {
	{ "a new file", nothing, make_short, true, 3 },
	{ "a new directory", nothing, make_dir, true, -1 },
	{ "a removed file", make_short, removal, false, 0 },
	{ "a replaced file", make_short, replacement, true, 7 },
	{ "a renamed directory", make_dir, rename_away, false, 0 },
	{ "a longer file", make_short, append, true, 7 },
};

/* How long until the second mount answers rightly: 0 at once, -1 with errno; WAIT: not in that time. */
static int64_t age_of(struct mounts *m, const struct change *c, enum look how, const char *name)
{
	uint64_t changed, waited = 0;
	struct found f;

	if (c->before(m->a, name) < 0)
		return -1;
	/* It has to know the state before the change; a look that comes too early would not be one. */
	changed = time_now_usec();
	do {
		f = look(m->b, name, how);
	} while (f.there != (c->before != nothing) && time_now_usec() - changed < WAIT);
	if (c->change(m->a, name) < 0)
		return -1;
	changed = time_now_usec();
	for (;;) {
		f = look(m->b, name, how);
		if (f.there == c->there && (how == BY_LIST || f.size == c->size))
			return (int64_t)waited;
		waited = time_now_usec() - changed;
		if (waited >= WAIT)
			return (int64_t)WAIT;
		os_pause(500);
	}
}

static void try_change(struct mounts *m, const struct change *c, unsigned number)
{
	static const char *const by[LOOKS] = { "open", "stat", "a list of names" };
	cleanup_str struct str text = STR_INIT;
	int64_t worst = 0;
	enum look how;
	unsigned i;

	for (how = BY_OPEN; how < LOOKS; how++) {
		int64_t oldest = 0;
		unsigned stale = 0;

		if (how == BY_LIST && c->there && c->before != nothing)
			continue;       /* a list has only names */
		for (i = 0; i < ROUNDS && stale < ENOUGH; i++) {
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
	mounts_say(m, c->name, worst ? MOUNTS_STALE : MOUNTS_OK, worst, "seen by the other machine: %s", text.buf);
}

void mounts_ages(struct mounts *m)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(changes); i++)
		try_change(m, &changes[i], i);
}

/* A worker may have a file open that another machine removes or replaces; nginx may be sending it. */
void mounts_open_files(struct mounts *m)
{
	static const char name[] = "an open file that is removed";
	static char bytes[256 * 1024];
	cleanup_fd int fd = -1;
	struct stat sb;
	ssize_t n;

	if (os_write_file(m->a, "open", bytes, sizeof(bytes), true) < 0)
		return mounts_failed(m, name, "writing");
	fd = os_open(m->b, "open", O_RDONLY, 0);
	if (fd < 0)
		return mounts_failed(m, name, "open");
	if (linkat(m->a, "open", m->a, "open-too", 0) < 0 || fstatat(m->b, "open-too", &sb, 0) < 0)
		return mounts_failed(m, "link counts", "link(2)");
	mounts_say(m, "link counts", sb.st_nlink == 2 ? MOUNTS_OK : MOUNTS_STALE, -1, "the other machine sees %u of 2", (unsigned)sb.st_nlink);
	if (unlinkat(m->a, "open", 0) < 0 || unlinkat(m->a, "open-too", 0) < 0)
		return mounts_failed(m, name, "unlink");
	n = os_read_full(fd, bytes, sizeof(bytes));
	if (n == (ssize_t)sizeof(bytes))
		mounts_say(m, name, MOUNTS_INFO, -1, "can be read to its end");
	else
		mounts_say(m, name, MOUNTS_INFO, -1, "cannot be read any more: %s", n < 0 ? strerror(errno) : "it has become shorter");
}
