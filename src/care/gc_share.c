/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_share: processes that take one task after the other from a counter that all share.
 *
 * Owns the processes and what they report. Each writes what it found into a file in memory, which is read when it has
 * ended: so they wait for nobody. Invariant: what one of them did not report whole is an error, never an empty report.
 */
#include "care/gc_share.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/process.h"

#define PROCESSES_MAX 8

struct board {                          /* in memory that all share */
	_Atomic size_t next;            /* the task that nobody has taken yet */
	struct {
		bool failed;
		struct err why;
	} of[PROCESSES_MAX];
};

struct helper {
	pid_t pid;
	int report;
};

struct share {
	struct gc_work *w;
	const struct gc_job *job;
	struct board *board;
	struct helper helpers[PROCESSES_MAX];
	unsigned nhelpers;
	struct str told;                /* by a helper */
};

struct told {                           /* a record of type 'T'; the name and what follow, each with its NUL */
	enum gc_kind kind;
	uint64_t bytes;
	bool named;
};

void gc_record_begin(struct str *out, char type, size_t len)
{
	str_addc(out, type);
	str_add(out, &len, sizeof(len));
}

void gc_record(struct str *out, char type, const void *data, size_t len)
{
	gc_record_begin(out, type, len);
	str_add(out, data, len);
}

static int do_some(struct share *s, struct err *e)
{
	size_t i;
	int rc = 0;

	while (rc == 0 && (i = atomic_fetch_add(&s->board->next, 1)) < s->job->tasks) {
		if (s->job->progress)
			gc_progress(s->w, s->job->progress, i + 1, s->job->tasks);
		rc = gc_goes_on(e) < 0 ? -1 : s->job->task(s->job->arg, i, e);
	}
	return rc < 0 ? -1 : 0;
}

static int finish(const struct gc_job *job, struct err *e)
{
	return job->finish ? job->finish(job->arg, e) : 0;
}

static void note_told(void *arg, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes)
{
	struct told t = { .kind = kind, .bytes = bytes, .named = n != NULL };
	cleanup_str struct str text = STR_INIT;
	struct share *s = arg;

	str_add(&text, &t, sizeof(t));
	if (n)
		str_add(&text, n->s, n->len + 1);
	str_add(&text, what, strlen(what) + 1);
	gc_record(&s->told, 'T', text.buf, text.len);
}

static int report(struct share *s, int fd, struct err *e)
{
	struct str *out = &s->told;

	s->job->report(s->job->arg, out);
	gc_record(out, 'S', s->w->out, sizeof(*s->w->out));
	gc_record(out, '.', "", 0);
	return os_write_full(fd, out->buf, out->len) < 0 ? err_sys(e, "cannot report what a process found") : 0;
}

/* The memory is a copy, so what it counts begins anew in the caller's own places. */
static _Noreturn void be_helper(struct share *s, unsigned me)
{
	struct gc_options o = *s->w->o;
	struct gc_result result = { 0 };
	struct err e = ERR_INIT;

	store_forked(s->w->r->st);
	if (s->job->stands_back)
		os_stand_back();
	o.tell = o.tell ? note_told : NULL;
	o.progress = NULL;
	o.arg = s;
	s->w->o = &o;
	s->w->out = &result;
	if (do_some(s, &e) == 0 && finish(s->job, &e) == 0 && report(s, s->helpers[me].report, &e) == 0)
		_exit(0);
	e.more = NULL;          /* memory of this process alone */
	e.nmore = 0;
	s->board->of[me].why = e;
	s->board->of[me].failed = true;
	_exit(0);
}

/* One more process, where one can be had: without it the others have more to do. */
static bool start_helper(struct share *s)
{
	struct helper *h = &s->helpers[s->nhelpers];

	h->report = memfd_create("berth-gc", MFD_CLOEXEC);
	if (h->report < 0)
		return false;
	h->pid = os_fork(SIGKILL);
	if (h->pid == 0)
		be_helper(s, s->nhelpers);
	if (h->pid < 0) {
		close(h->report);
		return false;
	}
	s->nhelpers++;
	return true;
}

static int take_told(const struct share *s, const char *data, size_t len)
{
	const char *text = data + sizeof(struct told), *end = data + len;
	struct told t;
	struct name n;

	if (len <= sizeof(t) || end[-1] != '\0')
		return -1;
	memcpy(&t, data, sizeof(t));
	if (t.named) {
		if (name_parse(&n, text, strlen(text)) < 0)
			return -1;
		text += strlen(text) + 1;
	}
	if (text >= end)
		return -1;
	s->w->o->tell(s->w->o->arg, t.kind, t.named ? &n : NULL, text, t.bytes);
	return 0;
}

static int take_counts(const struct share *s, const char *data, size_t len)
{
	struct gc_result r, *out = s->w->out;

	if (len != sizeof(r))
		return -1;
	memcpy(&r, data, sizeof(r));
	for (int kind = 0; kind < GC_KINDS; kind++)
		out->count[kind] += r.count[kind];
	out->bytes += r.bytes;
	out->kept += r.kept;
	out->kept_bytes += r.kept_bytes;
	return 0;
}

static int take_record(const struct share *s, char type, const char *data, size_t len)
{
	if (type == 'T')
		return s->w->o->tell ? take_told(s, data, len) : -1;
	return type == 'S' ? take_counts(s, data, len) : s->job->take(s->job->arg, type, data, len);
}

static int take_records(const struct share *s, const char *p, size_t size)
{
	const char *end = p + size;
	size_t len;

	while ((size_t)(end - p) > sizeof(len)) {
		char type = *p;

		memcpy(&len, p + 1, sizeof(len));
		p += 1 + sizeof(len);
		if (type == '.')
			return p == end ? 0 : -1;
		if (len > (size_t)(end - p) || take_record(s, type, p, len) < 0)
			return -1;
		p += len;
	}
	return -1;
}

static int take_report(const struct share *s, int fd, struct err *e)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = size <= 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	int rc;

	if (text == MAP_FAILED)
		return err_sys(e, "cannot read the report of a process");
	rc = take_records(s, text, (size_t)size);
	munmap(text, (size_t)size);
	return rc < 0 ? err_set(e, ERR_UNKNOWN, "what a process found cannot be understood") : 0;
}

/* What a helper that has ended leaves, with its status. */
static int take_helper(const struct share *s, unsigned i, int status, struct err *e)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		errno = ECHILD;
		return err_sys(e, "a process that collects was ended");
	}
	if (s->board->of[i].failed) {
		*e = s->board->of[i].why;
		return -1;
	}
	return take_report(s, s->helpers[i].report, e);
}

/* Whoever watches hears of what helpers do, too. */
static int wait_helper(const struct share *s, unsigned i)
{
	bool tells = s->job->progress && s->w->o->progress;
	int status = -1;
	pid_t got;

	while ((got = waitpid(s->helpers[i].pid, &status, tells ? WNOHANG : 0)) == 0 || (got < 0 && errno == EINTR)) {
		size_t taken = atomic_load(&s->board->next);

		if (got == 0) {
			gc_progress(s->w, s->job->progress, taken < s->job->tasks ? taken : s->job->tasks, s->job->tasks);
			os_pause(20000);
		}
	}
	return status;
}

static int share_out(struct share *s, unsigned processes, struct err *e)
{
	bool helpers_alone = s->job->stands_back && !s->w->o->rate && s->job->tasks > s->job->first;
	unsigned wanted = helpers_alone ? processes : processes - 1;
	int rc = 0;

	while (s->nhelpers < wanted && start_helper(s))
		;
	if (!helpers_alone || s->nhelpers == 0)
		rc = do_some(s, e);
	if (rc == 0 && processes > 1)
		rc = finish(s->job, e);
	for (unsigned i = 0; i < s->nhelpers; i++) {
		int status;

		if (rc < 0)
			kill(s->helpers[i].pid, SIGKILL);
		status = wait_helper(s, i);
		if (rc == 0)
			rc = take_helper(s, i, status, e);
		close(s->helpers[i].report);
	}
	return rc;
}

unsigned gc_processes(const struct gc_work *w, const struct gc_job *job)
{
	size_t most = (job->tasks - job->first) / job->each;
	cpu_set_t cpus;
	size_t n = sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : (size_t)CPU_COUNT(&cpus);

	if (w->o->rate || most <= 1)
		return 1;
	n = n < most ? n : most;
	return (unsigned)(n > PROCESSES_MAX ? PROCESSES_MAX : n);
}

int gc_share(struct gc_work *w, unsigned processes, const struct gc_job *job, struct err *e)
{
	struct share s = { .w = w, .job = job, .told = STR_INIT };
	int rc;

	s.board = mmap(NULL, sizeof(*s.board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.board == MAP_FAILED)
		return err_sys(e, "cannot have memory to share");
	atomic_store(&s.board->next, job->first);
	rc = share_out(&s, processes, e);
	munmap(s.board, sizeof(*s.board));
	return rc;
}
