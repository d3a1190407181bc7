/* SPDX-License-Identifier: Apache-2.0 */
/* Locks between processes: the time of a wait, and what is logged about it. */

#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/layout.h"
#include "tap.h"

static char dir[] = "/tmp/berth-lock.XXXXXX", got[4096];

static void sleep_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Starts a process that has locked the file when this returns, and ends after this many milliseconds. */
static pid_t holder(const char *path, bool exclusive, unsigned ms)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		exit(99);
	if (pid == 0) {
		int fd = os_lock_open(AT_FDCWD, path);

		if (os_lock(fd, exclusive, 60000, NULL) < 0 || os_write_full(ready[1], "x", 1) < 0)
			_exit(99);
		sleep_ms(ms);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		exit(99);
	close(ready[0]);
	return pid;
}

static void ended(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		exit(99);
}

/*
 * Acquires a lock that another process holds for some time; limit in milliseconds. On a busy machine the other process may
 * end before this one tries, which then does not wait: it tries again.
 */
static int against_holder(const char *path, bool exclusive, unsigned limit, int want, uint64_t *waited)
{
	int tries, rc = 0;

	for (tries = 0; tries < 20; tries++) {
		pid_t pid = holder(path, true, 300);
		int fd = os_lock_open(AT_FDCWD, path), saved;

		*waited = 99;
		rc = os_lock(fd, exclusive, limit, waited);
		saved = errno;
		close(fd);
		ended(pid);
		errno = saved;
		if (rc == want && (rc < 0 || *waited >= 50000))
			break;
	}
	return rc;
}

static void test_waits(const char *path)
{
	int fd = os_lock_open(AT_FDCWD, path);
	uint64_t waited = 99;
	pid_t pid;

	is_int(os_lock(fd, true, 1000, &waited), 0, "a free lock is acquired");
	is_int((intmax_t)waited, 0, "without a wait");
	os_unlock(fd);

	is_int(against_holder(path, true, 60000, 0, &waited), 0, "a lock is acquired when the other process releases it");
	ok(waited >= 50000, "and the wait is measured: %" PRIu64 " us", waited);
	is_int(against_holder(path, false, 60000, 0, &waited), 0, "also to share it");
	ok(waited >= 50000, "with its wait: %" PRIu64 " us", waited);
	is_int(against_holder(path, true, 50, -1, &waited), -1, "a limit that passes ends the wait");
	ok(errno == EWOULDBLOCK && waited >= 50000, "which counts all the same: %" PRIu64 " us", waited);
	is_int(against_holder(path, true, 0, -1, &waited), -1, "a limit of nothing is one try");
	ok(errno == EWOULDBLOCK && waited == 0, "and no wait");

	pid = holder(path, false, 200);
	ok(os_lock(fd, false, 1000, &waited) == 0 && waited == 0, "shared locks do not wait for each other");
	os_unlock(fd);
	ended(pid);
	is_int(os_lock(-1, true, 1000, &waited), -1, "a path that is not a file is not a lock");
	close(fd);
}

/* What the store logs about a wait. */
static void tell(struct store *st, enum lock_kind kind, uint64_t usec)
{
	int saved = dup(STDERR_FILENO), fds[2];
	ssize_t n;

	if (saved < 0 || pipe2(fds, O_CLOEXEC) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		exit(99);
	lock_waited(st, kind, usec);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], got, sizeof(got) - 1);
	got[n > 0 ? n : 0] = '\0';
	close(fds[0]);
}

static void test_longest(struct store *st)
{
	is_int((intmax_t)lock_longest_wait(st), 0, "to begin with nothing was waited for");
	tell(st, LOCK_UPLOAD, 0);
	tell(st, LOCK_REPOSITORY, 7000);
	tell(st, LOCK_COLLECTOR, 999999);
	is_str(got, "", "a wait of less than a second is no event");
	tell(st, LOCK_TURNSTILE, 5);
	is_int((intmax_t)lock_longest_wait(st), 999999, "the longest wait is kept");
	is_int((intmax_t)lock_longest_wait(st), 0, "until somebody asks");
	tell(st, LOCK_CATALOG, LOCK_WAIT_LONG);
	ok(strstr(got, "\"level\":\"warn\",\"event\":\"lock_wait\"") &&
	   strstr(got, ",\"lock\":\"catalog\",\"ms\":1000.000}\n"), "one of a second is: which lock, and how long");
	is_int((intmax_t)lock_longest_wait(st), LOCK_WAIT_LONG, "and counts as well");
}

static void test_store(struct store *st)
{
	cleanup_fd int fd = -1, other = -1;
	char path[sizeof(dir) + 32];
	struct err e = ERR_INIT;
	uint64_t longest = 0;
	int tries, rc = 0;

	is_int(lock_collector(st, &e), 0, "the collector's lock is free");
	unlock_collector(st);
	is_int((intmax_t)lock_longest_wait(st), 0, "and was not waited for");
	snprintf(path, sizeof(path), "%s/berth/locks/collector", dir);
	for (tries = 0; tries < 20 && rc == 0 && !longest; tries++) {
		pid_t pid = holder(path, true, 300);

		rc = lock_collector(st, &e);
		longest = lock_longest_wait(st);
		unlock_collector(st);
		ended(pid);
	}
	ok(rc == 0 && longest > 0, "after a collector a writer has it, and the wait is known");

	is_int(lock_file(st, "berth/locks/catalog", LOCK_CATALOG, &fd, &e), 0, "a lock file is created and locked");
	is_int(lock_file(st, "nowhere/at/all", LOCK_CATALOG, &other, &e), -1, "one that can't be made is an error");
	is_int(other, -1, "and leaves nothing open");
	err_release(&e);
}

/* All waits of a request together have one limit; a request that must not wait does not. */
static void test_limit(struct store *st)
{
	struct err e = ERR_INIT;
	char path[sizeof(dir) + 32];
	int tries, rc = 0, fd = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/berth/locks/limit", dir);
	for (tries = 0; tries < 20 && rc == 0; tries++) {
		os_cleanup_fd(&fd);
		pid = holder(path, true, 300);
		lock_limit(st, 20);
		rc = lock_file(st, "berth/locks/limit", LOCK_CATALOG, &fd, &e);
		if (rc < 0) {
			is_int(e.status, 503, "a wait that is too long for a request ends it");
			is_str(e.detail, "others are busy with the catalog", "which is said");
			ok(lock_longest_wait(st) >= 20000, "it has waited that long");
			rc = lock_file(st, "berth/locks/limit", LOCK_CATALOG, &fd, &e);
			ok(rc == 0 || lock_longest_wait(st) == 0, "the next lock that is busy is refused at once");
			rc = -1;
		}
		ended(pid);
	}
	is_int(rc, -1, "that was seen");
	os_cleanup_fd(&fd);
	is_int(lock_file(st, "berth/locks/limit", LOCK_CATALOG, &fd, &e), 0, "a free one is acquired all the same");
	is_int(lock_file_now(st, "berth/locks/limit", LOCK_CATALOG, &tries, &e), 0, "without a wait, the lock is reported as not free");
	os_cleanup_fd(&fd);
	is_int(lock_file_now(st, "berth/locks/limit", LOCK_CATALOG, &fd, &e), 1, "or has it");
	os_cleanup_fd(&fd);
	err_release(&e);
	st->limited = false;
}

int main(void)
{
	struct store_options o = { .root = dir };
	struct err e = ERR_INIT;
	struct store *st;
	char path[sizeof(dir) + 8];

	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&st, &o, &e) < 0)
		return 99;
	snprintf(path, sizeof(path), "%s/lock", dir);
	test_waits(path);
	test_longest(st);
	test_store(st);
	test_limit(st);
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
