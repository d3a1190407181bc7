/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watched: when to read a file again, and how long its previous contents stay in force.
 *
 * Owns what is known of the file, not its contents. Knows nothing of their form.
 */
#include "auth/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "os/file.h"

#define SETTLED_SECONDS 2
#define SECOND UINT64_C(1000000)

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

/* A time in the future, by another machine's clock, is never settled. */
static bool is_settled(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return st->st_ino != 0 && st->st_mtim.tv_sec + SETTLED_SECONDS < now.tv_sec &&
	       st->st_ctim.tv_sec + SETTLED_SECONDS < now.tv_sec;
}

void watched_init(struct watched *w, const char *file, const char *event,
		  int (*read)(void *owner, struct stat *st, size_t *count, struct str *msg), void *owner)
{
	*w = (struct watched){ .file = file, .event = event, .read = read, .owner = owner, .fault = STR_INIT };
}

void watched_release(struct watched *w)
{
	str_release(&w->fault);
}

static bool may_have_changed(const struct watched *w)
{
	struct stat st;

	return stat(w->file, &st) < 0 || !w->settled || !same_file(&st, &w->seen);
}

static void found_fault(struct watched *w, const struct str *fault, uint64_t now)
{
	if (!w->fault.len)
		w->wrong_since = now;
	if (strcmp(w->fault.buf, fault->buf) == 0)
		return;
	str_reset(&w->fault);
	str_add(&w->fault, fault->buf, fault->len);
	if (w->has)
		log_say(LOG_ERROR, w->event, "%s; the previous contents stay in force for %d seconds, then nobody in this "
			"file can log in until it is repaired", fault->buf, WATCHED_GRACE);
	else
		log_say(LOG_ERROR, w->event, "%s; nobody in this file can log in until it is repaired", fault->buf);
}

static void read_again(struct watched *w, uint64_t now)
{
	cleanup_str struct str fault = STR_INIT;
	bool settled = w->settled;
	size_t count = 0;
	int rc = w->read(w->owner, &w->seen, &count, &fault);

	w->settled = is_settled(&w->seen);
	if (rc < 0) {
		found_fault(w, &fault, now);
		return;
	}
	/* A version that is not settled is read by every login: that is no news. */
	if (w->has && (settled || w->fault.len))
		log_say(LOG_INFO, w->event, "%s was read again; accounts in it: %zu", w->file, count);
	str_reset(&w->fault);
	w->has = true;
}

int watched_check(struct watched *w, uint64_t now, struct err *e)
{
	if (may_have_changed(w))
		read_again(w, now);
	if (!w->fault.len || (w->has && now - w->wrong_since < WATCHED_GRACE * SECOND))
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "logins cannot be checked");
}

int watched_read(const char *file, unsigned mib, struct stat *st, struct str *text, struct str *msg)
{
	cleanup_fd int fd = os_open(AT_FDCWD, file, O_RDONLY | O_NONBLOCK, 0);
	const char *between = msg->len ? "\n" : "";
	struct stat unused;
	int sys;

	if (!st)
		st = &unused;
	*st = (struct stat){ 0 };
	if (fd >= 0 && fstat(fd, st) == 0) {
		if (S_ISDIR(st->st_mode)) {
			str_addf(msg, "%s%s: is a directory, not a file; docker makes one where a file that it is to mount does not exist",
				 between, file);
			errno = EISDIR;
			return -1;
		}
		if (!S_ISREG(st->st_mode) || st->st_size > (off_t)mib * 1024 * 1024) {
			str_addf(msg, "%s%s: cannot read: not a file, or one of more than %u MiB", between, file, mib);
			errno = EFBIG;
			return -1;
		}
		if (os_read_str(fd, (uint64_t)st->st_size, text) == 0)
			return 0;
	}
	sys = errno;
	str_addf(msg, "%s%s: cannot read: %s", between, file, strerror(sys));
	errno = sys;
	return -1;
}
