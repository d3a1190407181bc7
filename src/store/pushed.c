/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushed: the time of a tag's last push.
 *
 * Owns the files pushed-TIME of a tag's current/. Invariant: from the moment at which a tag is in place one of them is there, if
 * berth has set it. Knows nothing of what the tag points to.
 */
#include "store/pushed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "store/clock.h"
#include "store/store_path.h"

#define LATER (UINT64_C(600) * 1000 * 1000)     /* microseconds: berth writes link and file at once, and a copy of both takes no longer */

/* The names of a directory. */
struct names_of {
	uint64_t greatest;
	bool any;
	struct names others;            /* all but the greatest */
};

static int parse(const char *name, size_t len, uint64_t *usec)
{
	size_t head = strlen(STORE_PUSHED);

	if (len != head + CLOCK_HEX || memcmp(name, STORE_PUSHED, head) != 0)
		return -1;
	return clock_parse_hex(name + head, len - head, usec);
}

bool pushed_is_name(const char *name)
{
	uint64_t usec;

	return parse(name, strlen(name), &usec) == 0;
}

static void path_pushed(struct str *p, const char *dir, uint64_t usec)
{
	path_in(p, dir, STORE_PUSHED);
	clock_add_hex(p, usec);
}

static void take(void *arg, const char *name, size_t len)
{
	struct names_of *all = arg;
	cleanup_str struct str other = STR_INIT;
	uint64_t usec;

	if (parse(name, len, &usec) < 0)
		return;
	if (all->any) {
		str_puts(&other, STORE_PUSHED);
		clock_add_hex(&other, usec < all->greatest ? usec : all->greatest);
		names_add(&all->others, other.buf, other.len);
	}
	if (!all->any || usec > all->greatest)
		all->greatest = usec;
	all->any = true;
}

int pushed_begin(struct store *st, const char *dir, uint64_t usec)
{
	cleanup_str struct str path = STR_INIT;

	path_pushed(&path, dir, usec);
	return store_write(st, path.buf, "", 0, false);
}

static bool link_is_later(struct store *st, const char *dir, uint64_t named, uint64_t link)
{
	cleanup_str struct str path = STR_INIT;
	uint64_t file;

	if (link <= named || link - named <= LATER)
		return false;
	path_pushed(&path, dir, named);
	return clock_changed(st, path.buf, &file) == 0 && link > file && link - file > LATER;
}

/* What the names and the link say: 1, 0 without a link, -1 with errno. *named: a name says it. */
static int look(struct store *st, const char *dir, const struct names_of *all, uint64_t *usec, bool *named)
{
	cleanup_str struct str path = STR_INIT;

	path_in(&path, dir, STORE_LINK);
	*named = all->any;
	if (clock_changed(st, path.buf, usec) < 0) {
		*usec = all->greatest;
		return os_gone(errno) ? 0 : -1;
	}
	if (all->any && !link_is_later(st, dir, all->greatest, *usec))
		*usec = all->greatest;
	else
		*named = false;
	return 1;
}

/*
 * The greatest name is renamed: whatever a power cut leaves, one of the two is there. Its file is made young as well, for
 * link_is_later(). There are others if a first look and a push, or two first looks, were at work at once.
 */
static int replace(struct store *st, const char *dir, const struct names_of *all, uint64_t usec)
{
	cleanup_str struct str from = STR_INIT, to = STR_INIT;
	size_t i;

	path_pushed(&from, dir, all->greatest);
	path_pushed(&to, dir, usec);
	if (os_renameat(st->dirfd, from.buf, st->dirfd, to.buf) < 0)
		return -1;
	os_utimensat(st->dirfd, to.buf, NULL, AT_SYMLINK_NOFOLLOW);
	for (i = 0; i < all->others.count; i++) {
		path_in(&from, dir, all->others.v[i]);
		os_unlinkat(st->dirfd, from.buf, 0);
	}
	return 0;
}

int pushed_set(struct store *st, const char *dir, uint64_t *usec)
{
	struct names_of all = { .others = NAMES_INIT };
	uint64_t stands = 0;
	bool named;
	int rc = os_dir_each(st->dirfd, dir, DIR_ALL, take, &all);

	if (rc == 0 && !all.any)
		rc = look(st, dir, &all, &stands, &named) < 0 ? -1 : 0;
	if (all.any)
		stands = all.greatest;
	if (*usec <= stands)
		*usec = stands + 1;
	if (rc == 0)
		rc = all.any ? replace(st, dir, &all, *usec) : pushed_begin(st, dir, *usec);
	names_release(&all.others);
	return rc;
}

/* The file is as old as its name says: a later change of the link shows, however soon it comes. */
static void write_down(struct store *st, const char *dir, uint64_t usec)
{
	const struct timespec then = { .tv_sec = (time_t)(usec / 1000000), .tv_nsec = (long)(usec % 1000000 * 1000) };
	cleanup_str struct str path = STR_INIT;

	path_pushed(&path, dir, usec);
	if (pushed_begin(st, dir, usec) == 0)
		os_utimensat(st->dirfd, path.buf, (const struct timespec[]){ then, then }, AT_SYMLINK_NOFOLLOW);
}

int pushed_find(struct store *st, const char *dir, bool keep, uint64_t *usec, struct err *e)
{
	struct names_of all = { .others = NAMES_INIT };
	bool named = false;
	int found;

	*usec = 0;
	found = os_dir_each(st->dirfd, dir, DIR_ALL, take, &all) < 0 ? (os_gone(errno) ? 0 : -1) : 1;
	if (found == 1)
		found = look(st, dir, &all, usec, &named);
	names_release(&all.others);
	if (found == 1 && !named && keep && !st->readonly)
		write_down(st, dir, *usec);
	return found < 0 ? err_sys(e, "cannot look at %s", dir) : found;
}
