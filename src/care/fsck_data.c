/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_data: every byte against its digest, in several processes.
 *
 * Owns those processes while they run. They take blobs from one list by a shared counter, the biggest first, and write
 * down what they find wrong; the parent looks again, tells and mends. Knows nothing of repositories.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "care/fsck_work.h"
#include "os/file.h"
#include "os/process.h"
#include "store/blob.h"
#include "store/spool.h"
#include "store/store_path.h"

#define CHUNK (256 * 1024)
#define TICK_MS 200

struct shared {                         /* by all processes */
	uint64_t next;                  /* index of the next blob to take */
	uint64_t bytes;                 /* that were read */
	uint64_t begun;
};

struct verdict {                        /* through the pipe; shorter than what is written in one piece */
	uint64_t index;
	int error;                      /* 0: wrong bytes */
};

/* Wait until so many bytes may have been read. */
static void keep_rate(const struct fsck_work *w, const struct shared *s, uint64_t bytes)
{
	double due = (double)bytes / (double)w->o->rate * 1e6, spent = (double)(time_now_usec() - s->begun);

	if (due > spent)
		os_pause((uint64_t)(due - spent));
}

/* 0 right, 1 wrong, -1 with errno. */
static int read_blob(const struct fsck_work *w, struct shared *s, int fd, const struct digest *d)
{
	cleanup_digester struct digester *h = digester_open(d->alg);
	cleanup_free char *buf = xmalloc(CHUNK);
	struct digest is;
	ssize_t n;

	while ((n = os_read_full(fd, buf, CHUNK)) > 0) {
		uint64_t all = __atomic_add_fetch(&s->bytes, (uint64_t)n, __ATOMIC_RELAXED);

		digester_add(h, buf, (size_t)n);
		if (w->o->rate)
			keep_rate(w, s, all);
	}
	if (n < 0)
		return -1;
	digester_finish(h, &is);
	return !digest_eq(&is, d);
}

static int job(const struct fsck_work *w, struct shared *s, int out)
{
	uint64_t i;

	while ((i = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED)) < w->nblobs) {
		struct verdict v = { .index = i };
		struct err e = ERR_INIT;
		cleanup_fd int fd = -1;
		uint64_t size;
		int found = blob_open(w->r->st, &w->blobs[i].d, &fd, &size, &e), rc = 0;

		if (found < 0) {
			v.error = e.sys;
			err_release(&e);
		} else if (found) {
			rc = read_blob(w, s, fd, &w->blobs[i].d);
			v.error = rc < 0 ? errno : 0;
		}
		if ((found < 0 || rc != 0) && os_write_full(out, &v, sizeof(v)) < 0)
			return 1;
	}
	return 0;
}

struct bad {
	const struct digest *d;
	struct str path;
	struct stat sb;                 /* of the file whose bytes were found wrong */
};

static int mend_bad(struct fsck_work *w, void *arg, struct err *e)
{
	struct bad *b = arg;

	return fsck_quarantine(w, b->path.buf, b->d, e);
}

/* The first look reads all of it again; the second, with nobody else at work, sees that it is still that file. */
static int check_bad(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct bad *b = arg;
	struct fsck_fault f = { .kind = FSCK_BLOB_BYTES, .where = b->path.buf, .mend = mend_bad, .moves = true, .arg = b };
	cleanup_fd int fd = -1;
	struct digest is;
	struct stat sb;
	uint64_t size;
	int found = blob_open(w->r->st, b->d, &fd, &size, e);

	if (found <= 0)
		return found;
	if (fstat(fd, &sb) < 0)
		return err_sys(e, "cannot look at %s", b->path.buf);
	if (!sure) {
		b->sb = sb;
		if (spool_hash_fd(fd, false, b->d->alg, &is, e) < 0)
			return -1;
		return !digest_eq(&is, b->d);
	}
	if (sb.st_ino != b->sb.st_ino || sb.st_dev != b->sb.st_dev)
		return 0;
	fsck_report(w, &f, "its bytes are not those of its digest");
	return 1;
}

static int judge(struct fsck_work *w, const struct verdict *v, struct err *e)
{
	struct bad b = { .d = &w->blobs[v->index].d, .path = STR_INIT };
	struct fsck_fault f = { .kind = FSCK_UNREADABLE };
	int rc = 0;

	path_blob(&b.path, b.d);
	f.where = b.path.buf;
	if (v->error)
		fsck_report(w, &f, "cannot be read: %s", strerror(v->error));
	else
		rc = fsck_twice(w, NULL, check_bad, &b, e);
	str_release(&b.path);
	return rc;
}

static int listen_to(struct fsck_work *w, const struct shared *s, int in, uint64_t all, struct err *e)
{
	int rc = 0;

	for (;;) {
		struct pollfd p = { .fd = in, .events = POLLIN };
		int n = poll(&p, 1, TICK_MS);
		struct verdict v;

		if (n < 0 && errno != EINTR)
			return err_sys(e, "cannot wait for the processes that read");
		if (w->o->progress)
			w->o->progress(w->o->arg, __atomic_load_n(&s->bytes, __ATOMIC_RELAXED), all);
		if (n <= 0)
			continue;
		if (os_read_full(in, &v, sizeof(v)) != (ssize_t)sizeof(v) || v.index >= w->nblobs)
			return rc;      /* all have ended */
		if (rc == 0)
			rc = judge(w, &v, e);
	}
}

static int bigger_first(const void *a, const void *b)
{
	const struct fsck_blob *x = a, *y = b;

	return x->size < y->size ? 1 : x->size > y->size ? -1 : digest_cmp(&x->d, &y->d);
}

/* Start the processes; how many, in pids. The pipe's writing end is theirs alone then. */
static unsigned start(struct fsck_work *w, struct shared *s, const int ends[2], pid_t *pids)
{
	unsigned i;

	for (i = 0; i < w->o->jobs && i < w->nblobs; i++) {
		pids[i] = os_fork(SIGKILL);     /* a lock of ours must not outlive us in one of them */
		if (pids[i] < 0)
			break;          /* fewer do it as well */
		if (pids[i] == 0) {
			close(ends[0]);
			_exit(job(w, s, ends[1]));
		}
	}
	return i;
}

int fsck_data(struct fsck_work *w, struct err *e)
{
	cleanup_free pid_t *pids = xcalloc(w->o->jobs, sizeof(*pids));
	uint64_t all = 0;
	struct shared *s;
	unsigned count, i;
	int ends[2], rc;

	if (w->nblobs == 0)
		return 0;
	for (i = 0; i < w->nblobs; i++)
		all += w->blobs[i].size;
	qsort(w->blobs, w->nblobs, sizeof(*w->blobs), bigger_first);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return err_sys(e, "cannot share memory");
	if (pipe2(ends, O_CLOEXEC) < 0) {
		munmap(s, sizeof(*s));
		return err_sys(e, "cannot make a pipe");
	}
	s->begun = time_now_usec();
	count = start(w, s, ends, pids);
	rc = count ? 0 : err_sys(e, "cannot start a process");
	close(ends[1]);
	if (rc == 0)
		rc = listen_to(w, s, ends[0], all, e);
	close(ends[0]);
	for (i = 0; i < count; i++) {
		int status;

		if (rc < 0)
			kill(pids[i], SIGTERM);
		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
			;
		if (status != 0 && rc == 0)
			rc = err_set(e, ERR_UNKNOWN, "a process that read content ended before its work did");
	}
	w->out->bytes = s->bytes;
	munmap(s, sizeof(*s));
	return rc;
}
