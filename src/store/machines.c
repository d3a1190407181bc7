/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machines: the files by which masters on several machines find each other.
 *
 * Owns berth/locks/machines/. Reads clocks only to wait and to write a number that grows: what happens on another machine is known by what
 * it writes.
 * Invariant: a file there is locked and has its number when it gets its name, and is removed by its owner, or by who has its exclusive lock.
 */
#include "store/machines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"
#include "os/tree.h"
#include "store/beat.h"
#include "store/machines_own.h"
#include "store/stale.h"
#include "store/store_path.h"

#define BEAT UINT64_C(2000000)          /* microseconds */
#define WATCH (3 * BEAT)
#define LOOK 100000                     /* pause between two looks at a file */

static void path_of(struct str *path, const char *name)
{
	str_reset(path);
	path_in(path, STORE_MACHINES_DIR, name);
}

static int write_beat(const struct machine *m, bool flush)
{
	char text[BEAT_MAX];

	if (os_overwrite(m->fd, text, beat_text(text, time_now_usec(), m->since)) < 0)
		return -1;
	return flush ? os_fsync(m->fd) : 0;
}

/*
 * The names there: the age is asked for so that this client's list is not an old one. others: whether there is another file. Only then somebody
 * reads the number, and the client of a network file system must not keep it back.
 */
static void list_all(const struct machine *m, struct names *names, bool *others)
{
	int64_t when;
	uint64_t size;
	size_t i;

	*others = true;
	if (os_age(m->dirfd, STORE_MACHINES_DIR, &when, &size) < 0 || os_dir_list(m->dirfd, STORE_MACHINES_DIR, DIR_ALL, names) < 0)
		return names_drop(names, names->count);
	*others = false;
	for (i = 0; i < names->count; i++)
		*others |= beat_is_name(names->v[i]) && strcmp(names->v[i], m->name) != 0;
}

/* A lock for reading is enough to find out whether somebody has the one for writing, and two that look do not meet: 1, 0, or -1 with errno. */
static int is_locked(int fd)
{
	if (os_lock(fd, false, 0, NULL) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -1;
}

/* Whether this master has its lock still: 1, 0 with *e, or -1 with *e if nobody can say. The file system may have given it up. */
static int keeps_lock(const struct machine *m, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	struct stat named, own;
	int locked;

	path_of(&path, m->name);
	fd = os_open_look(m->dirfd, path.buf, O_RDWR, &named);
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "cannot open %s", path.buf);
	if (fd < 0 || (os_fstat(m->fd, &own) == 0 && !machines_same(&named, &own))) {
		err_set(e, ERR_UNAVAILABLE, "%s was removed", path.buf);
		return 0;
	}
	locked = is_locked(fd);
	if (locked < 0)
		return err_sys(e, "cannot try the lock of %s", path.buf);
	if (locked == 0)
		err_set(e, ERR_UNAVAILABLE, "nobody has the lock of %s", path.buf);
	return locked;
}

/* It gets its name when it is locked and has a number: nobody can take it for one that a killed master has left. */
static int make_own(struct store *st, struct machine *m, struct err *e)
{
	cleanup_str struct str path = STR_INIT, tmp = STR_INIT;
	uint64_t random;

	m->since = (int64_t)time(NULL);
	if (os_mkdir_once(st->dirfd, STORE_MACHINES_DIR) < 0)
		return err_sys(e, "cannot make %s", STORE_MACHINES_DIR);
	os_random(&random, sizeof(random));
	snprintf(m->name, sizeof(m->name), "%016" PRIx64, random);
	path_of(&path, m->name);
	store_tmp(st, &tmp);
	m->fd = store_make(st, tmp.buf, O_RDWR);
	if (m->fd < 0)
		return err_sys(e, "cannot make %s", tmp.buf);
	if (os_lock(m->fd, true, 0, NULL) == 0 && write_beat(m, false) == 0 && os_renameat(st->dirfd, tmp.buf, st->dirfd, path.buf) == 0)
		return 0;
	err_sys(e, "cannot make and lock %s", path.buf);
	os_unlinkat(st->dirfd, tmp.buf, 0);
	return -1;
}

int machines_begin(const struct store_options *o, struct machine *m, struct err *e)
{
	cleanup_store struct store *st = NULL;

	*m = (struct machine)MACHINE_INIT;
	if (o->readonly)
		return 0;
	if (store_open_root(&st, o, e) < 0)
		return -1;
	if (st->local)
		return 0;
	m->dirfd = fcntl(st->dirfd, F_DUPFD_CLOEXEC, 0);
	if (m->dirfd < 0)
		return err_sys(e, "cannot keep %s open", o->root);
	/* Where a lock keeps nobody out this master would believe for ever that it has lost its own. */
	if (make_own(st, m, e) == 0 && keeps_lock(m, e) == 1)
		return 0;
	machines_leave(m);
	return -1;
}

/* A file that nobody seems to have locked, and what was in it. */
struct suspect {
	const char *name;       /* borrowed; NULL: it is none any more */
	char before[BEAT_MAX];
};

/* Who cannot say whether somebody has the lock must not believe that nobody has. */
static bool seems_free(const struct machine *m, const char *path)
{
	cleanup_fd int fd = os_open_file(m->dirfd, path, O_RDWR, 0);
	int locked;

	if (fd < 0 && errno == ENOENT)
		return false;
	locked = fd < 0 ? -1 : is_locked(fd);
	if (locked < 0)
		log_say(LOG_WARN, "machines", "cannot tell whether another master has the lock of %s: %s", path, strerror(errno));
	return locked == 0;
}

static size_t find_suspects(const struct machine *m, const struct names *names, struct suspect *out)
{
	cleanup_str struct str path = STR_INIT;
	size_t i, count = 0;

	for (i = 0; i < names->count; i++) {
		struct suspect *s = &out[count];

		if (!beat_is_name(names->v[i]) || strcmp(names->v[i], m->name) == 0)
			continue;
		path_of(&path, names->v[i]);
		if (!seems_free(m, path.buf) || machines_read(m->dirfd, path.buf, s->before) < 0)
			continue;
		s->name = names->v[i];
		count++;
	}
	return count;
}

/* Whether it is written to although nobody seems to have locked it. One that was locked meanwhile is no suspect any more. */
static bool beats(const struct machine *m, struct suspect *s)
{
	cleanup_str struct str path = STR_INIT;
	char now[BEAT_MAX];

	if (!s->name)
		return false;
	path_of(&path, s->name);
	if (machines_read(m->dirfd, path.buf, now) < 0 || memcmp(s->before, now, BEAT_MAX) == 0)
		return false;
	if (seems_free(m, path.buf))
		return true;
	s->name = NULL;
	return false;
}

/* What another one sees of this master while it watches, and so also before a process does it and where none could be started. */
static bool any_beats(const struct machine *m, struct suspect *v, size_t count)
{
	uint64_t begun = time_now_usec(), last = 0, now;
	size_t i;

	for (now = begun; count && now - begun < WATCH; now = time_now_usec()) {
		if (now - last >= BEAT) {
			write_beat(m, true);
			last = now;
		}
		os_pause(LOOK);
		for (i = 0; i < count; i++)
			if (beats(m, &v[i]))
				return true;
	}
	return false;
}

int machines_watch(const struct machine *m, const char *root, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	struct suspect *v;
	size_t i, count;
	bool found;

	if (m->fd < 0)
		return 0;
	if (os_dir_list(m->dirfd, STORE_MACHINES_DIR, DIR_ALL, &names) < 0)
		return err_sys(e, "cannot read %s", STORE_MACHINES_DIR);
	v = xcalloc(names.count + 1, sizeof(*v));
	count = find_suspects(m, &names, v);
	found = any_beats(m, v, count);
	for (i = 0; i < count && !found; i++)
		if (v[i].name)
			machines_remove(m, v[i].name, v[i].before);
	free(v);
	if (!found)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "other machines serve %s, and locks (flock) do not reach them; see `berth probe` and doc/MACHINES.md",
		       root);
}

bool machines_is_of(const struct machine *m, const struct store_options *o)
{
	struct stat its, ours;
	cleanup_fd int fd = m->fd < 0 || o->readonly ? -1 : os_open_look(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, &its);

	return fd >= 0 && os_fstat(m->dirfd, &ours) == 0 && machines_same(&its, &ours);
}

void machines_leave(struct machine *m)
{
	cleanup_str struct str path = STR_INIT;

	if (m->fd >= 0) {
		path_of(&path, m->name);
		os_unlinkat(m->dirfd, path.buf, 0);
	}
	os_cleanup_fd(&m->fd);
	os_cleanup_fd(&m->dirfd);
}

/* The lock comes first: who has lost it must not make a master that starts believe that locks do not work. */
static int beat(const struct machine *m, struct machine_left *left, struct names *names, struct err *e)
{
	bool others;
	int keeps = keeps_lock(m, e);

	names_drop(names, names->count);
	if (keeps != 1)
		return keeps;
	list_all(m, names, &others);
	if (write_beat(m, others) < 0)
		return err_sys(e, "cannot write to %s/%s", STORE_MACHINES_DIR, m->name);
	machines_look(m, names, left);
	return 1;
}

void machines_beat(const struct machine *m, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	struct stale stale = STALE_INIT;
	struct machine_left left = { .looks = 0 };
	bool troubled = false;
	int keeps;

	while ((keeps = beat(m, &left, &names, e)) != 0) {
		if (keeps < 0 && !troubled) {
			cleanup_str struct str why = STR_INIT;

			err_text(e, &why);
			log_say(LOG_WARN, "machines", "%s; other machines cannot see that this one serves", why.buf);
		}
		if (keeps > 0 && troubled)
			log_say(LOG_INFO, "machines", "other machines can see again that this one serves");
		troubled = keeps < 0;
		err_release(e);
		stale_pause(&stale, m, &names, BEAT);
	}
}
