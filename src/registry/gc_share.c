/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_share: marking by several processes.
 *
 * Owns the processes and what they report. They take one repository after the other from a counter that all share, and
 * write what they found into a file in memory each, which is read when they have ended: so they wait for nobody.
 * Invariant: what one of them did not report whole is an error, never an empty report.
 */
#include "registry/gc_share.h"

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
#include "store/repo.h"

#define PROCESSES_MAX 8
#define REPOSITORIES_EACH 8             /* for fewer of them a process is not worth it */

struct board {                          /* in memory that all share */
	_Atomic size_t next;            /* the repository that nobody has taken yet */
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
	struct gc_marks *m;
	struct names repositories;
	struct board *board;
	struct helper helpers[PROCESSES_MAX];
	unsigned nhelpers;
	struct str told;                /* by a helper */
};

static int add_name(void *arg, const struct name *n, struct err *e)
{
	(void)e;
	names_add(arg, n->s, n->len);
	return 0;
}

static int mark_some(struct share *s, struct err *e)
{
	size_t i;

	while ((i = atomic_fetch_add(&s->board->next, 1)) < s->repositories.count) {
		struct name n = gc_name(s->repositories.v[i]);

		gc_progress(s->w, "repositories looked at", i + 1, s->repositories.count);
		if (gc_mark_repository(s->w, &n, s->m, e) < 0)
			return -1;
	}
	return 0;
}

/* Lines: "T kind bytes name what" told, "R name" a repository with candidates, "L digest" one of them, "K" the kept ones. */
static void note_told(void *arg, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes)
{
	struct share *s = arg;

	str_addf(&s->told, "T %d %llu %s %s\n", (int)kind, (unsigned long long)bytes, n->s, what);
}

static void write_report(const struct share *s, struct str *out)
{
	const struct gc_marks *m = s->m;
	size_t i, at = SIZE_MAX;

	str_add(out, s->told.buf, s->told.len);
	for (i = 0; i < m->links.count; i++) {
		if (m->links.v[i].repository != at) {
			at = m->links.v[i].repository;
			str_addf(out, "R %s\n", m->names.v[at]);
		}
		str_addf(out, "L %s\n", m->links.v[i].d.text);
	}
	str_puts(out, "K\n");
	digestset_write(&m->kept, out);
}

static _Noreturn void be_helper(struct share *s, unsigned me)
{
	struct gc_marks marks = GC_MARKS_INIT;
	struct gc_options o = *s->w->o;
	struct gc_result result = { 0 };
	struct gc_work w = *s->w;
	struct str report = STR_INIT;
	struct err e = ERR_INIT;

	os_signal(SIGTERM, SIG_DFL);
	os_signal(SIGINT, SIG_DFL);
	o.tell = note_told;
	o.progress = NULL;
	o.arg = s;
	w.o = &o;
	w.out = &result;
	s->w = &w;
	s->m = &marks;
	if (mark_some(s, &e) == 0) {
		write_report(s, &report);
		if (os_write_full(s->helpers[me].report, report.buf, report.len) < 0)
			err_sys(&e, "cannot report what was read");
		else
			_exit(0);
	}
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

static int take_told(struct share *s, const char *rest, const char *end)
{
	cleanup_free char *what = NULL;
	char *after;
	unsigned long kind = strtoul(rest, &after, 10);
	unsigned long long bytes = strtoull(after, &after, 10);
	const char *blank = *after == ' ' ? memchr(after + 1, ' ', (size_t)(end - after - 1)) : NULL;
	struct name n;

	if (kind >= GC_KINDS || !blank || name_parse(&n, after + 1, (size_t)(blank - after - 1)) < 0)
		return -1;
	what = xstrndup(blank + 1, (size_t)(end - blank - 1));
	gc_tell(s->w, (enum gc_kind)kind, &n, what, bytes);
	return 0;
}

/* A line of a report; -1 where it is none. */
static int take_line(struct share *s, const char *line, size_t len)
{
	const char *rest = line + 2, *end = line + len;
	struct digest d;

	if (len < 3 || line[1] != ' ')
		return -1;
	switch (line[0]) {
	case 'R':
		names_add(&s->m->names, rest, (size_t)(end - rest));
		return 0;
	case 'L':
		if (digest_parse(&d, rest, (size_t)(end - rest)) < 0 || !s->m->names.count)
			return -1;
		gc_candidates_add(&s->m->links, s->m->names.count - 1, &d);
		return 0;
	case 'T':
		return take_told(s, rest, end);
	default:
		return -1;
	}
}

static int take_text(struct share *s, const struct str *text)
{
	const char *p = text->buf, *all = text->buf + text->len, *end;

	for (; (end = memchr(p, '\n', (size_t)(all - p))) != NULL; p = end + 1) {
		if (end == p + 1 && *p == 'K')
			return digestset_read(&s->m->kept, end + 1, (size_t)(all - end - 1));
		if (take_line(s, p, (size_t)(end - p)) < 0)
			return -1;
	}
	return -1;
}

static int take_report(struct share *s, int fd, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0 || lseek(fd, 0, SEEK_SET) < 0 || os_read_str(fd, (uint64_t)size, &text) < 0)
		return err_sys(e, "cannot read the report of a process");
	return take_text(s, &text) < 0 ? err_set(e, ERR_UNKNOWN, "what a process read cannot be understood") : 0;
}

/* What a helper that has ended leaves, with its status. */
static int take_helper(struct share *s, unsigned i, int status, struct err *e)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		errno = ECHILD;
		return err_sys(e, "a process that reads manifests was ended");
	}
	if (s->board->of[i].failed) {
		*e = s->board->of[i].why;
		return -1;
	}
	return take_report(s, s->helpers[i].report, e);
}

static int share_out(struct share *s, unsigned processes, struct err *e)
{
	int rc;

	while (s->nhelpers + 1 < processes && start_helper(s))
		;
	rc = mark_some(s, e);
	for (unsigned i = 0; i < s->nhelpers; i++) {
		int status = -1;

		if (rc < 0)
			kill(s->helpers[i].pid, SIGKILL);
		while (waitpid(s->helpers[i].pid, &status, 0) < 0 && errno == EINTR)
			;
		if (rc == 0)
			rc = take_helper(s, i, status, e);
		close(s->helpers[i].report);
	}
	return rc;
}

static unsigned processes_for(const struct gc_work *w, size_t repositories)
{
	size_t most = repositories / REPOSITORIES_EACH;
	cpu_set_t cpus;
	size_t n = sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : (size_t)CPU_COUNT(&cpus);

	/* The second takes locks and may build an index: not with the descriptors of another process. */
	if (w->o->rate || (w->o->untagged && w->o->dry_run))
		return 1;
	n = n < most ? n : most;
	return (unsigned)(n > PROCESSES_MAX ? PROCESSES_MAX : n);
}

int gc_mark_all(struct gc_work *w, struct gc_marks *out, struct err *e)
{
	struct share s = { .w = w, .m = out, .repositories = NAMES_INIT, .told = STR_INIT };
	int rc = -1;

	s.board = mmap(NULL, sizeof(*s.board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.board == MAP_FAILED)
		return err_sys(e, "cannot have memory to share");
	if (repo_walk(w->r->st, NULL, add_name, &s.repositories, e) == 0)
		rc = share_out(&s, processes_for(w, s.repositories.count), e);
	munmap(s.board, sizeof(*s.board));
	names_release(&s.repositories);
	return rc;
}
