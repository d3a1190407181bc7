/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_data: every byte against its digest, read by several processes.
 *
 * Helpers hash blobs, the largest first, and report those whose bytes are wrong; this process checks again, reports and
 * repairs. Knows nothing of repositories.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/time.h"
#include "care/fsck_work.h"
#include "care/share.h"
#include "os/again.h"
#include "os/file.h"
#include "os/process.h"
#include "store/blob.h"
#include "store/spool.h"
#include "store/store_path.h"

#define CHUNK (256 * 1024)

struct reading {
	struct fsck_work *w;
	uint64_t *bytes;                /* shared: read so far, by all processes */
	uint64_t begun, of;             /* microseconds; bytes */
	struct str *records;            /* in a helper; NULL: this is no helper */
};

struct verdict {                        /* a record of type 'B' */
	size_t index;                   /* of the blob */
	int error;                      /* 0: wrong bytes */
};

/* Wait until so many bytes may have been read. */
static void keep_rate(const struct reading *r, uint64_t bytes)
{
	double due = (double)bytes / (double)r->w->o->rate * 1e6, spent = (double)(time_now_usec() - r->begun);

	if (due > spent)
		os_pause((uint64_t)(due - spent));
}

/* 0 right, 1 wrong, -1 with errno. */
static int read_blob(const struct reading *r, int fd, const struct digest *d)
{
	cleanup_digester struct digester *h = digester_open(d->alg);
	cleanup_free char *buf = xmalloc(CHUNK);
	struct digest is;
	ssize_t n;

	while ((n = os_read_full(fd, buf, CHUNK)) > 0) {
		uint64_t all = __atomic_add_fetch(r->bytes, (uint64_t)n, __ATOMIC_RELAXED);

		digester_add(h, buf, (size_t)n);
		if (r->w->o->rate)
			keep_rate(r, all);
	}
	if (n < 0)
		return -1;
	digester_finish(h, &is);
	return !digest_eq(&is, d);
}

struct bad {
	const struct digest *d;
	struct str path;
	struct stat sb;                 /* of the file whose bytes are wrong */
};

/* The first look reads the file again; the second one, with the locks held, checks that it is still the same file. */
static int check_bad(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct bad *b = arg;
	struct fsck_fault f = { .kind = FSCK_BLOB_BYTES, .where = b->path.buf, .repair = fsck_repair_content, .moves = true,
			      .arg = b->d };
	cleanup_fd int fd = -1;
	struct digest is;
	struct stat sb;
	uint64_t size;
	int found = blob_open(w->r->st, b->d, &fd, &size, e);

	if (found <= 0)
		return found;
	if (os_fstat(fd, &sb) < 0)
		return err_sys(e, "cannot look at %s", b->path.buf);
	if (!sure) {
		b->sb = sb;
		if (spool_hash_fd(fd, false, b->d->alg, &is, e) < 0)
			return -1;
		return !digest_eq(&is, b->d);
	}
	if (sb.st_ino != b->sb.st_ino || sb.st_dev != b->sb.st_dev)
		return 0;
	fsck_report(w, &f, "its bytes do not match its digest");
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

static void begin(void *arg, struct str *out)
{
	((struct reading *)arg)->records = out;
}

static int check_blob(void *arg, size_t i, struct err *e)
{
	struct reading *r = arg;
	struct verdict v = { .index = i };
	struct err why = ERR_INIT;
	cleanup_fd int fd = -1;
	uint64_t size;
	int found = blob_open(r->w->r->st, &r->w->blobs[i].d, &fd, &size, &why), rc = found < 0 ? -1 : 0;

	v.error = why.sys;
	err_release(&why);
	if (found == 1) {
		rc = read_blob(r, fd, &r->w->blobs[i].d);
		v.error = rc < 0 ? errno : 0;
	}
	if (rc == 0)
		return 0;
	if (!r->records)
		return judge(r->w, &v, e);
	share_record(r->records, 'B', &v, sizeof(v));
	return 0;
}

static int accept_verdict(void *arg, char type, const char *data, size_t len, struct err *e)
{
	struct reading *r = arg;
	struct verdict v;

	if (type != 'B' || len != sizeof(v))
		return share_malformed(e);
	memcpy(&v, data, sizeof(v));
	return v.index < r->w->nblobs ? judge(r->w, &v, e) : share_malformed(e);
}

static void tick(void *arg, size_t begun)
{
	const struct reading *r = arg;

	(void)begun;
	if (r->w->o->progress)
		r->w->o->progress(r->w->o->arg, __atomic_load_n(r->bytes, __ATOMIC_RELAXED), r->of);
}

static int larger_first(const void *a, const void *b)
{
	const struct fsck_blob *x = a, *y = b;

	return x->size < y->size ? 1 : x->size > y->size ? -1 : digest_cmp(&x->d, &y->d);
}

int fsck_data(struct fsck_work *w, struct err *e)
{
	struct reading r = { .w = w, .bytes = share_memory(sizeof(*r.bytes), e), .begun = time_now_usec() };
	struct share_job job = { .tasks = w->nblobs, .helpers_alone = true, .begin = begin, .task = check_blob,
				 .accept = accept_verdict, .tick = tick, .arg = &r };
	size_t i;
	int rc = 0;

	if (!r.bytes)
		return -1;
	for (i = 0; i < w->nblobs; i++)
		r.of += w->blobs[i].size;
	if (w->nblobs) {
		qsort(w->blobs, w->nblobs, sizeof(*w->blobs), larger_first);
		rc = share_run(&job, w->o->jobs < w->nblobs ? w->o->jobs : (unsigned)w->nblobs, e);
	}
	w->out->bytes = *r.bytes;
	share_memory_free(r.bytes, sizeof(*r.bytes));
	return rc;
}
