/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector: runs, notes and batches.
 *
 * Owns berth/gc/ and berth/locks/run. Knows nothing of what is garbage.
 * Invariant: berth/gc/run is created and removed only under the exclusive lock, so a writer sees it during its whole step or
 * not at all.
 */
#include "store/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digestset.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"
#include "os/tree.h"
#include "store/fence.h"
#include "store/lock.h"
#include "store/moves.h"
#include "store/spool.h"
#include "store/store_path.h"

#define RUN_LEN 16
#define RESERVE_BYTES (1024 * 1024)
#define RUN_WAIT 500           /* milliseconds: a writer that tries locks/run holds it for a moment */
#define UNASKED_BYTES 4096      /* of notes, before a process checks whether the collection is alive */
#define CHUNK 65536             /* of notes; a line has at most 400 bytes */
#define READ_AT_ONCE (16 * CHUNK)       /* writers wait for some milliseconds meanwhile */
#define PHASE_LINE_MAX 64
#define RESERVE_FILES 16       /* inodes: for the mark, and for the notes of as many writers */

struct collector {
	struct store *st;               /* borrowed */
	int run_fd;                     /* locks/run, locked from begin to end */
	char run[RUN_LEN + 1];
	int64_t began;                  /* seconds since the epoch */
	struct digestset noted;
	struct names files;             /* the writers' files, */
	uint64_t *read;                 /* and how many bytes of each have been read */
	size_t room;                    /* how many more bytes to read before writers are let in */
	char chunk[CHUNK];
	uint64_t entered, left;         /* when the last batch began and ended to keep writers out, in microseconds */
};

/* The id of the running collection: 1, 0 none, -1 with *e. */
static int read_run(struct store *st, char run[RUN_LEN + 1], struct err *e)
{
	ssize_t n = os_read_file(st->dirfd, STORE_RUN_FILE, run, RUN_LEN);

	if (n < 0 && os_gone(errno))
		return 0;
	if (n < 0)
		return err_sys(e, "cannot read %s", STORE_RUN_FILE);
	run[RUN_LEN] = '\0';
	return n == RUN_LEN && strspn(run, "0123456789abcdef") == RUN_LEN;
}

/*
 * Removes the mark of a killed collection; false if one is alive, or the mark could not be removed. The caller holds
 * lock_collector. While locks/run is held here no collection begins, and none sets its mark before the caller's step is
 * over. So the mark found now is stale, and this step needs no note. Other writers may have read the mark: the directory
 * for their notes stays, and the next collection removes it.
 */
static bool end_dead_run(struct store *st)
{
	cleanup_fd int fd = os_lock_open(st->dirfd, STORE_RUN_LOCK_FILE);

	st->noted = 0;
	if (fd < 0 || os_lock(fd, false, 0, NULL) < 0 || os_unlinkat(st->dirfd, STORE_RUN_FILE, 0) < 0)
		return false;
	log_say(LOG_WARN, "collector", "a collection was killed; removed its mark, so that writers note nothing for it any more");
	return true;
}

int collector_note(struct store *st, const struct name *n, const struct digest *digests, size_t count, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	cleanup_fd int fd = -1;
	char run[RUN_LEN + 1];
	int on = read_run(st, run, e), rc;
	size_t i;

	if (on <= 0 || (st->noted >= UNASKED_BYTES && end_dead_run(st)))
		return on < 0 ? -1 : fence_sure(st, e);
	str_addf(&path, STORE_GC_DIR "/%s/%016" PRIx64, run, st->id);
	/* An earlier note may have been cut off for lack of space; it must not merge with this one. */
	str_addc(&text, '\n');
	for (i = 0; i < count; i++)
		if (i == 0 || !digest_eq(&digests[i], &digests[i - 1]))
			str_addf(&text, "%s %s\n", digests[i].text, n->s);
	st->noted += text.len;
	fd = os_open(st->dirfd, path.buf, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0 || os_write_full(fd, text.buf, text.len) < 0)
		return err_sys(e, "cannot note for the collector in %s", path.buf);
	/* A network file system may report a full disk only now. After EINTR the descriptor is closed all the same. */
	rc = close(fd);
	fd = -1;
	return rc < 0 && errno != EINTR ? err_sys(e, "cannot note for the collector in %s", path.buf) : fence_sure(st, e);
}

/* The caller holds locks/run. When this returns, no writer that saw the mark is still in its step. */
static int remove_mark(struct store *st, struct err *e)
{
	int rc;

	if (lock_collector_alone(st, e) < 0)
		return -1;
	rc = os_unlinkat(st->dirfd, STORE_RUN_FILE, 0) < 0 && errno != ENOENT ? err_sys(e, "cannot remove %s", STORE_RUN_FILE) : 0;
	unlock_collector(st);
	return rc;
}

/* Removes the notes for a collection whose mark is gone. */
static void remove_notes(struct store *st, const char *run)
{
	cleanup_str struct str dir = STR_INIT;

	str_addf(&dir, STORE_GC_DIR "/%s", run);
	os_remove_tree(st->dirfd, dir.buf);
}

static int remove_leftovers(struct store *st, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	char run[RUN_LEN + 1];
	int left = read_run(st, run, e);
	size_t i;

	if (left < 0)
		return -1;
	if (os_dir_list(st->dirfd, STORE_GC_DIR, DIR_DIRS, &all) < 0)
		return err_sys(e, "cannot list %s", STORE_GC_DIR);
	for (i = 0; i < all.count; i++)
		left |= strspn(all.v[i], "0123456789abcdef") == RUN_LEN;
	if (!left)
		return 0;
	if (remove_mark(st, e) < 0)
		return -1;
	os_unlinkat(st->dirfd, STORE_PHASE_FILE, 0);
	for (i = 0; i < all.count; i++)
		if (strspn(all.v[i], "0123456789abcdef") == RUN_LEN)
			remove_notes(st, all.v[i]);
	return 0;
}

int collector_exclude(struct store *st, int *fd, struct err *e)
{
	*fd = os_lock_open(st->dirfd, STORE_RUN_LOCK_FILE);
	if (*fd >= 0 && os_lock(*fd, true, RUN_WAIT, NULL) == 0)
		return 1;
	if (*fd >= 0 && errno == EWOULDBLOCK) {
		os_cleanup_fd(fd);
		return 0;
	}
	err_sys(e, "cannot lock %s", STORE_RUN_LOCK_FILE);
	os_cleanup_fd(fd);
	return -1;
}

int collector_tidy(struct store *st, struct err *e)
{
	cleanup_fd int fd = -1;
	int taken = collector_exclude(st, &fd, e);

	return taken <= 0 ? taken : remove_leftovers(st, e);
}

void collector_reserve(struct store *st)
{
	cleanup_str struct str path = STR_INIT;
	unsigned i;

	/* Without space for all of it there is less; the next collection tries again. */
	if (os_mkdir_once(st->dirfd, STORE_RESERVE_DIR) < 0)
		return;
	for (i = 0; i < RESERVE_FILES; i++) {
		cleanup_fd int fd = -1;

		str_reset(&path);
		str_addf(&path, STORE_RESERVE_DIR "/%u", i);
		fd = os_open_file(st->dirfd, path.buf, O_WRONLY | O_CREAT, 0666);
		if (fd < 0 || (i == 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0))
			return;
	}
}

static int announce(struct collector *c, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	uint64_t random;
	int rc = -1;

	os_random(&random, sizeof(random));
	str_addf(&dir, STORE_GC_DIR "/%016" PRIx64, random);
	memcpy(c->run, dir.buf + strlen(STORE_GC_DIR "/"), RUN_LEN);
	if (os_mkdir_once(c->st->dirfd, dir.buf) < 0)  /* as in store_make() */
		return err_sys(e, "cannot make %s", dir.buf);
	if (lock_collector_alone(c->st, e) < 0)
		return -1;
	moves_settle(c->st, c->run_fd);
	if (store_replace(c->st, STORE_RUN_FILE, c->run, RUN_LEN, false) < 0)
		err_sys(e, "cannot write %s", STORE_RUN_FILE);
	else
		rc = 0;
	unlock_collector(c->st);
	return rc;
}

static void release(struct collector **cp)
{
	struct collector *c = *cp;

	digestset_release(&c->noted);
	names_release(&c->files);
	free(c->read);
	os_cleanup_fd(&c->run_fd);
	free(c);
	*cp = NULL;
}

int collector_begin(struct collector **out, struct store *st, struct err *e)
{
	struct collector *c = xcalloc(1, sizeof(*c));
	int taken;

	*out = NULL;
	c->st = st;
	c->began = (int64_t)time(NULL);
	taken = collector_exclude(st, &c->run_fd, e);
	if (taken == 1) {
		os_remove_tree(st->dirfd, STORE_RESERVE_DIR);
		taken = remove_leftovers(st, e) < 0 || announce(c, e) < 0 ? -1 : 1;
	}
	if (taken == 1)
		*out = c;
	else
		release(&c);
	return taken;
}

int collector_end(struct collector **cp, struct err *e)
{
	struct collector *c = *cp;
	int rc = remove_mark(c->st, e);

	os_unlinkat(c->st->dirfd, STORE_PHASE_FILE, 0);
	if (rc == 0)            /* else writers still see the mark, and need the directory for their notes */
		remove_notes(c->st, c->run);
	collector_reserve(c->st);
	release(cp);
	return rc;
}

/* Adds the complete lines of a chunk of notes; returns how many bytes they are. */
static size_t add_lines(struct collector *c, size_t len)
{
	const char *s = c->chunk, *limit = s + len, *end;

	for (; (end = memchr(s, '\n', (size_t)(limit - s))) != NULL; s = end + 1) {
		const char *blank = memchr(s, ' ', (size_t)(end - s));
		struct digest d;

		/* A line that does not parse was cut off, and its writer refused the request. */
		if (blank && digest_parse(&d, s, (size_t)(blank - s)) == 0)
			digestset_add(&c->noted, &d);
	}
	return (size_t)(s - c->chunk);
}

/*
 * Reads the new notes of one writer. An incomplete line is read the next time. 0, 1 if the limit was reached and there may be
 * more, -1 with *e.
 */
static int read_notes(struct collector *c, const char *file, uint64_t *from, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	ssize_t n = 0;

	str_addf(&path, STORE_GC_DIR "/%s/%s", c->run, file);
	fd = os_open_file(c->st->dirfd, path.buf, O_RDONLY, 0);
	while (fd >= 0 && c->room > 0 && lseek(fd, (off_t)*from, SEEK_SET) >= 0 && (n = os_read_full(fd, c->chunk, CHUNK)) >= 0) {
		size_t taken = add_lines(c, (size_t)n);

		*from += taken == 0 && n == CHUNK ? CHUNK : taken;      /* a line that fills the chunk is not a note */
		c->room -= (size_t)n < c->room ? (size_t)n : c->room;
		if (n < CHUNK)
			return 0;
	}
	return fd >= 0 && c->room == 0 ? 1 : err_sys(e, "cannot read %s", path.buf);
}

/* As read_notes(), for all writers. */
static int read_all_notes(struct collector *c, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct names now = NAMES_INIT;
	uint64_t *read;
	size_t i, j = 0;
	int rc = 0;

	str_addf(&dir, STORE_GC_DIR "/%s", c->run);
	if (os_dir_list(c->st->dirfd, dir.buf, DIR_ALL, &now) < 0) {
		names_release(&now);
		return err_sys(e, "cannot list %s", dir.buf);
	}
	read = xcalloc(now.count + 1, sizeof(*read));
	for (i = 0; i < now.count; i++) {
		/* Both lists are sorted, and no file is removed during a collection. */
		while (j < c->files.count && strcmp(c->files.v[j], now.v[i]) < 0)
			j++;
		if (j < c->files.count && strcmp(c->files.v[j], now.v[i]) == 0)
			read[i] = c->read[j];
		if (rc == 0)
			rc = read_notes(c, now.v[i], &read[i], e);
	}
	names_release(&c->files);
	free(c->read);
	c->files = now;
	c->read = read;
	return rc;
}

/*
 * Where this collection stood still for long, a writer may have found its lock of runs free and removed the mark: then writers have
 * noted nothing since.
 */
static int still_marked(const struct collector *c, struct err *e)
{
	char run[RUN_LEN + 1];
	int on = c->st->local ? 1 : read_run(c->st, run, e);

	if (c->st->local || (on == 1 && strcmp(run, c->run) == 0))
		return 0;
	return on < 0 ? -1 : err_set(e, ERR_UNAVAILABLE, "this collection stood still, and others have taken it for dead");
}

int collector_enter(struct collector *c, struct err *e)
{
	int more;

	do {
		/* The time starts here: while this waits for active writers, no other writer gets in. */
		c->entered = time_now_usec();
		if (lock_collector_alone(c->st, e) < 0)
			return -1;
		c->room = READ_AT_ONCE;
		more = fence_begin_batch(c->st, c->run, e) < 0 || still_marked(c, e) < 0 ? -1 : read_all_notes(c, e);
		if (more == 0)
			return 0;
		collector_leave(c);
		if (more > 0)
			collector_stay_away(c);
	} while (more > 0);
	return -1;
}

void collector_leave(struct collector *c)
{
	fence_end_batch(c->st);
	unlock_collector(c->st);
	c->left = time_now_usec();
}

void collector_stay_away(const struct collector *c)
{
	uint64_t until = c->left + (c->left - c->entered), now = time_now_usec();

	if (now < until)
		os_sleep(until - now);
}

int collector_hear(struct collector *c, struct err *e)
{
	int more;

	do {
		c->room = READ_AT_ONCE;
		more = read_all_notes(c, e);
	} while (more > 0);
	return more;
}

/* Whether nobody holds a lock that masters share: 1, 0, -1 with *e. */
static int nobody_holds(const struct collector *c, const char *file, struct err *e)
{
	cleanup_fd int fd = os_open_file(c->st->dirfd, file, O_RDWR, 0);

	if (fd < 0)
		return os_gone(errno) ? 1 : err_sys(e, "cannot open %s", file);
	if (os_lock(fd, true, 0, NULL) == 0)
		return 1;
	return errno == EWOULDBLOCK ? 0 : err_sys(e, "cannot lock %s", file);
}

int collector_nobody_serves(const struct collector *c, bool *nobody, struct err *e)
{
	int rc;

	/* A collection that stands still would lose this lock, too, and remove in place what others have begun to serve. */
	*nobody = false;
	if (!c->st->local)
		return 0;
	rc = nobody_holds(c, STORE_ONLINE_FILE, e);
	if (rc == 1)
		rc = nobody_holds(c, STORE_ONLINE_1_0_FILE, e);
	*nobody = rc == 1;
	return rc < 0 ? -1 : 0;
}

bool collector_noted(const struct collector *c, const struct digest *d)
{
	return digestset_has(&c->noted, d);
}

/* A new file each time: its mtime is set by the file system, whoever owns the old one. */
int collector_done(struct collector *c, const struct str *text, struct err *e)
{
	if (store_replace(c->st, STORE_LAST_FILE, text->buf, text->len, false) < 0)
		return err_sys(e, "cannot write %s", STORE_LAST_FILE);
	return 0;
}

ssize_t collector_said(struct store *st, char *text, size_t cap, int64_t *ended, struct err *e)
{
	struct stat sb;
	cleanup_fd int fd = os_open_look(st->dirfd, STORE_LAST_FILE, O_RDONLY, &sb);
	ssize_t n;

	*ended = 0;
	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", STORE_LAST_FILE);
	if ((n = os_read_full(fd, text, cap)) < 0)
		return err_sys(e, "cannot read %s", STORE_LAST_FILE);
	*ended = (int64_t)sb.st_mtim.tv_sec;
	return !S_ISREG(sb.st_mode) || sb.st_size > (off_t)cap ? 0 : n;
}

/* The present time by the file system's clock, from the mtime of a new file. */
static int time_of_disk(struct store *st, int64_t *now, struct err *e)
{
	cleanup_spool struct spool sp = SPOOL_INIT;
	struct stat sb;

	*now = 0;
	if (spool_make(&sp, st, e) < 0)
		return -1;
	if (os_fstat(sp.fd, &sb) < 0)
		return err_sys(e, "cannot look at %s", sp.path.buf);
	*now = (int64_t)sb.st_mtim.tv_sec;
	return 0;
}

int collector_last(struct store *st, uint64_t *seconds, struct err *e)
{
	struct stat sb;
	cleanup_fd int fd = os_open_look(st->dirfd, STORE_LAST_FILE, O_RDONLY, &sb);
	int64_t now;

	*seconds = 0;
	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", STORE_LAST_FILE);
	if (time_of_disk(st, &now, e) < 0)
		return -1;
	if (now > (int64_t)sb.st_mtim.tv_sec)
		*seconds = (uint64_t)(now - (int64_t)sb.st_mtim.tv_sec);
	return 1;
}

/* Without a flush: it says nothing after a crash. */
void collector_phase(struct collector *c, const char *phase)
{
	cleanup_str struct str text = STR_INIT;

	str_addf(&text, "%s %" PRId64 " %s\n", c->run, c->began, phase);
	store_replace(c->st, STORE_PHASE_FILE, text.buf, text.len, false);
}

/* "RUN SECONDS PHASE\n", of the run with this id. Anything else is of another one, and says nothing. */
static int read_phase(struct store *st, const char *run, struct collector_state *out, struct err *e)
{
	char text[PHASE_LINE_MAX + 1];
	ssize_t n = os_read_file(st->dirfd, STORE_PHASE_FILE, text, PHASE_LINE_MAX);
	const char *seconds = text + RUN_LEN + 1, *phase;
	uint64_t began;
	size_t len;

	if (n < 0)
		return os_gone(errno) || errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", STORE_PHASE_FILE);
	text[n < PHASE_LINE_MAX ? n : PHASE_LINE_MAX] = '\0';
	if (n <= RUN_LEN || n > PHASE_LINE_MAX || memcmp(text, run, RUN_LEN) != 0 || text[RUN_LEN] != ' ' || !(phase = strchr(seconds, ' ')) ||
	    str_parse_u64(seconds, (size_t)(phase - seconds), &began) < 0 || began > INT64_MAX)
		return 0;
	len = strspn(++phase, "abcdefghijklmnopqrstuvwxyz");
	if (len > COLLECTOR_PHASE_MAX || phase[len] != '\n')
		return 0;
	memcpy(out->phase, phase, len);
	out->phase[len] = '\0';
	out->began = (int64_t)began;
	return 0;
}

int collector_running(struct store *st, struct collector_state *out, struct err *e)
{
	cleanup_fd int fd = os_open_file(st->dirfd, STORE_RUN_LOCK_FILE, O_RDONLY, 0);
	char run[RUN_LEN + 1];
	int on;

	*out = (struct collector_state){ .phase = "" };
	on = read_run(st, run, e);
	/* Whoever gets the lock, shared and for a moment, knows that the mark is that of a dead one. */
	if (on <= 0 || fd < 0 || os_lock(fd, false, 0, NULL) == 0)
		return on < 0 ? -1 : 0;
	if (errno != EWOULDBLOCK)
		return err_sys(e, "cannot lock %s", STORE_RUN_LOCK_FILE);
	return read_phase(st, run, out, e) < 0 ? -1 : 1;
}

int collector_now(struct collector *c, int64_t *now, struct err *e)
{
	cleanup_fd int fd = os_open_file(c->st->dirfd, STORE_RUN_FILE, O_RDONLY, 0);
	struct stat sb;

	*now = 0;
	if (fd < 0 || futimens(fd, NULL) < 0 || os_fstat(fd, &sb) < 0)
		return err_sys(e, "cannot tell the time of %s", STORE_RUN_FILE);
	*now = (int64_t)sb.st_mtim.tv_sec;
	return 0;
}
