/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share: processes that take one task after the other from a shared counter.
 *
 * Owns the helpers and their reports. A helper writes its records to a file in memory, so that it never waits for the
 * process that reads them. Invariant: a report without its last record ('.') is an error, never an empty report.
 */
#include "care/share.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "os/process.h"

#define TICK_NSEC 20000000
#define RECORD_LAST '.'
#define RECORD_ERROR 'E'        /* holds the struct err with which a helper failed */

struct helper {
	pid_t pid;
	int report;                     /* the file in memory */
	size_t accepted;                /* bytes of it that have been read */
	bool whole;                     /* the last record was among them */
};

struct share {
	const struct share_job *job;
	_Atomic size_t *next;           /* shared: the first task that no process has started */
	struct helper *helpers;
	unsigned count;
};

void share_record_begin(struct str *out, char type, size_t len)
{
	str_addc(out, type);
	str_add(out, &len, sizeof(len));
}

void share_record(struct str *out, char type, const void *data, size_t len)
{
	share_record_begin(out, type, len);
	str_add(out, data, len);
}

int share_malformed(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "the report of a helper process is malformed");
}

unsigned share_processors(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : (unsigned)CPU_COUNT(&cpus);
}

void *share_memory(size_t size, struct err *e)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return p;
	err_sys(e, "cannot map memory to share among processes");
	return NULL;
}

void share_memory_free(void *p, size_t size)
{
	munmap(p, size);
}

static void tick(const struct share *s)
{
	size_t begun = atomic_load(s->next);

	if (s->job->tick)
		s->job->tick(s->job->arg, begun < s->job->tasks ? begun : s->job->tasks);
}

static int send_records(int fd, struct str *out, struct err *e)
{
	int rc = out->len ? os_write_full(fd, out->buf, out->len) : 0;

	str_reset(out);
	return rc < 0 ? err_sys(e, "a helper process cannot report what it found") : 0;
}

/* fd: where a helper sends its records; -1 in the calling process. */
static int do_tasks(struct share *s, int fd, struct str *out, struct err *e)
{
	const struct share_job *job = s->job;
	size_t i;
	int rc = 0;

	while (rc == 0 && (i = atomic_fetch_add(s->next, 1)) < job->tasks) {
		if (fd < 0)
			tick(s);
		rc = job->task(job->arg, i, e);
		if (rc >= 0 && fd >= 0 && send_records(fd, out, e) < 0)
			rc = -1;
	}
	return rc < 0 ? -1 : 0;
}

static int finish(const struct share_job *job, struct str *out, struct err *e)
{
	return job->finish ? job->finish(job->arg, out, e) : 0;
}

static _Noreturn void be_helper(struct share *s, int fd)
{
	const struct share_job *job = s->job;
	struct str out = STR_INIT;
	struct err e = ERR_INIT;

	if (job->stands_back)
		os_stand_back();
	if (job->begin)
		job->begin(job->arg, &out);
	if (do_tasks(s, fd, &out, &e) == 0 && finish(job, &out, &e) == 0) {
		share_record(&out, RECORD_LAST, "", 0);
	} else {
		e.more = NULL;          /* memory of this process alone */
		e.nmore = 0;
		share_record(&out, RECORD_ERROR, &e, sizeof(e));
	}
	_exit(send_records(fd, &out, &e) < 0);
}

/* One more helper, if the system can start one: without it the others have more to do. */
static bool start_helper(struct share *s)
{
	struct helper h = { .report = memfd_create("berth-share", MFD_CLOEXEC) };

	if (h.report < 0)
		return false;
	h.pid = os_fork(SIGKILL);
	if (h.pid == 0)
		be_helper(s, h.report);
	if (h.pid < 0) {
		close(h.report);
		return false;
	}
	s->helpers[s->count++] = h;
	return true;
}

static int accept_record(const struct share *s, struct helper *h, char type, const char *data, size_t len, struct err *e)
{
	if (type == RECORD_LAST) {
		h->whole = true;
		return 0;
	}
	if (type != RECORD_ERROR)
		return s->job->accept(s->job->arg, type, data, len, e);
	if (len != sizeof(*e))
		return share_malformed(e);
	memcpy(e, data, len);
	return -1;
}

/* All whole records that have been added since the last call; a helper may be writing the next one. */
static int accept_records(const struct share *s, struct helper *h, struct err *e)
{
	struct stat sb;
	size_t size, len, head = 1 + sizeof(len);
	char *text;
	int rc = 0;

	if (os_fstat(h->report, &sb) < 0)
		return err_sys(e, "cannot read the report of a helper process");
	size = (size_t)sb.st_size;
	if (size == h->accepted)
		return 0;
	text = mmap(NULL, size, PROT_READ, MAP_SHARED, h->report, 0);
	if (text == MAP_FAILED)
		return err_sys(e, "cannot read the report of a helper process");
	while (rc == 0 && size - h->accepted >= head) {
		const char *p = text + h->accepted;

		memcpy(&len, p + 1, sizeof(len));
		if (len > size - h->accepted - head)
			break;
		rc = accept_record(s, h, *p, p + head, len, e);
		h->accepted += head + len;
	}
	munmap(text, size);
	return rc;
}

static int accept_all(const struct share *s, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; i < s->count && rc == 0; i++)
		rc = accept_records(s, &s->helpers[i], e);
	return rc;
}

static int end_helper(struct share *s, struct helper *h, struct err *e)
{
	int status = 0;
	pid_t got;

	while ((got = waitpid(h->pid, &status, s->job->tick ? WNOHANG : 0)) != h->pid) {
		if (got < 0 && errno != EINTR)
			return err_sys(e, "cannot wait for a helper process");
		if (got < 0)
			continue;
		if (accept_all(s, e) < 0)
			return -1;
		tick(s);
		nanosleep(&(struct timespec){ .tv_nsec = TICK_NSEC }, NULL);
	}
	h->pid = 0;
	if (accept_records(s, h, e) < 0)
		return -1;
	if (status != 0 || !h->whole)
		return err_set(e, ERR_UNKNOWN, "a helper process ended before its work was done");
	return 0;
}

static void release_helper(struct helper *h)
{
	if (h->pid) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(h->report);
}

static int run(struct share *s, unsigned processes, struct err *e)
{
	const struct share_job *job = s->job;
	bool helpers_alone = job->helpers_alone && job->tasks > job->first;
	unsigned wanted = helpers_alone ? processes : processes - 1, i;
	int rc = 0;

	while (s->count < wanted && start_helper(s))
		;
	if (!helpers_alone || s->count == 0)
		rc = do_tasks(s, -1, NULL, e);
	if (rc == 0 && processes > 1)
		rc = finish(job, NULL, e);
	for (i = 0; i < s->count && rc == 0; i++)
		rc = end_helper(s, &s->helpers[i], e);
	for (i = 0; i < s->count; i++)
		release_helper(&s->helpers[i]);
	return rc;
}

int share_run(const struct share_job *job, unsigned processes, struct err *e)
{
	cleanup_free struct helper *helpers = xcalloc(processes, sizeof(*helpers));
	struct share s = { .job = job, .next = share_memory(sizeof(*s.next), e), .helpers = helpers };
	int rc;

	if (!s.next)
		return -1;
	atomic_store(s.next, job->first);
	rc = run(&s, processes, e);
	share_memory_free(s.next, sizeof(*s.next));
	return rc;
}
