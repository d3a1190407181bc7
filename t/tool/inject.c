/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject: lets a chosen system call of a worker fail, or kills the worker there.
 *
 * Owns a traced process. Knows nothing of what the worker does: a request is what happens between a successful accept
 * and the next epoll_wait. Of a process with a loop of its own, "loop" in front of the last commands means all
 * that it does from now on until it is sent SIGURG, which it does not see. Commands come on stdin, one a line; each is
 * answered by one line on stdout, and those of a request by a second one when it is over:
 *
 *   attach PID      trace that process from now on            attached
 *   detach          let it go                                 detached
 *   count           only watch the next request               ready, then "done CALLS CALL..."
 *   fail N ERRNO [NAME]  its N-th call fails and is not made, or with a NAME the first from there on that is described
 *                   so, as far as NAME goes                   ready, then the same
 *   lasting N ERRNO [NAME]  the same, and so do all later ones that are described as the first that has failed
 *   late N ERRNO NAME  as fail, but the call is made, and only one that succeeds fails, as where a client of a network file system sends a
 *                   request twice; of openat(2) those with O_EXCL
 *   kill N [NAME]   SIGKILL before that call                  ready, then "killed CALLS CALL..."
 *   stop N [NAME[~TEXT|TEXT...]]  it stands still before that call until a line "go" comes: "ready", "stopped CALL" if it gets there, and then as for count;
 *                   after "stale" that call fails with ESTALE and is not made
 *
 * A process that ends in another way is reported as "exited STATUS CALLS CALL...". A CALL is its name; those of the
 * request's socket have "@socket" behind it, those of stderr "@log", those with a path ":PATH" (the last one of two), and an flock(2)
 * that releases ":unlock"; in a loop those of an open file have its path, and waits do not count.
 * The one that failed has "!" at its end. A close is made even where it is said to fail: that is how Linux does it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_MAX 16384
#define PATH_SHOWN 160

struct known {
	long nr;
	const char *name;
	int path;               /* which argument is the path to show, counted from 1; 0: none; -1: nor is the first a descriptor */
};

#define CALL(name, path) { SYS_##name, #name, path }
static const struct known table[] = {
	CALL(accept, 0), CALL(accept4, 0), CALL(brk, -1), CALL(close, 0), CALL(copy_file_range, 0), CALL(epoll_ctl, 0),
	CALL(epoll_pwait, 0), CALL(exit_group, 0), CALL(faccessat, 2), CALL(fallocate, 0), CALL(fchmod, 0),
	CALL(fchmodat, 2), CALL(fcntl, 0), CALL(fdatasync, 0), CALL(flock, 0), CALL(fstat, 0), CALL(fsync, 0),
	CALL(ftruncate, 0), CALL(futex, 0), CALL(getdents64, 0), CALL(getpid, 0), CALL(getrandom, 0), CALL(ioctl, 0),
	CALL(linkat, 4), CALL(lseek, 0), CALL(madvise, 0), CALL(mkdirat, 2), CALL(mmap, 0), CALL(mprotect, 0),
	CALL(mremap, 0), CALL(munmap, 0), CALL(openat, 2), CALL(ppoll, 0), CALL(pread64, 0), CALL(pselect6, 0),
	CALL(pwrite64, 0), CALL(read, 0), CALL(readlinkat, 2), CALL(renameat, 4), CALL(renameat2, 4),
	CALL(rt_sigaction, 0), CALL(rt_sigprocmask, 0), CALL(shutdown, 0), CALL(statx, 2), CALL(symlinkat, 3), CALL(syncfs, 0),
	CALL(sync_file_range, 0), CALL(sysinfo, 0), CALL(unlinkat, 2), CALL(utimensat, 2), CALL(write, 0), CALL(writev, 0),
	CALL(clock_nanosleep, 0), CALL(fstatfs, 0), CALL(getsockname, 0), CALL(getpeername, 0), CALL(getsockopt, 0),
	CALL(setsockopt, 0), CALL(newfstatat, 2), CALL(execve, 1), CALL(socket, -1), CALL(connect, 0), CALL(sendto, 0),
	CALL(sendmsg, 0), CALL(recvfrom, 0), CALL(recvmsg, 0), CALL(socketpair, -1), CALL(pipe2, -1), CALL(eventfd2, -1),
	CALL(epoll_create1, -1), CALL(inotify_init1, -1), CALL(inotify_add_watch, 2), CALL(uname, -1), CALL(prctl, -1),
	CALL(prlimit64, -1), CALL(rseq, -1), CALL(set_robust_list, -1), CALL(set_tid_address, -1), CALL(exit, -1),
#ifdef SYS_epoll_wait
	CALL(epoll_wait, 0),
#endif
#ifdef SYS_poll
	CALL(poll, 0),
#endif
#ifdef SYS_select
	CALL(select, 0),
#endif
};
#define TABLE_LEN (sizeof(table) / sizeof(*table))

enum plan { PLAN_COUNT, PLAN_FAIL, PLAN_LASTING, PLAN_LATE, PLAN_KILL, PLAN_STOP };

struct tracer {
	pid_t pid;              /* 0: none is traced */
	enum plan plan;
	long at;                /* the call that is meant, from 1 */
	int fail_with;
	char name[256];         /* what the call that is to fail has to be called, "" for any */
	bool loop;              /* the plan is for all calls until SIGURG, not for a request */
	bool inside;            /* a request is being served, or it is a loop */
	int socket;             /* its connection */
	long count;
	bool made;              /* the call that is to fail is made */
	bool failing;           /* the call that is being made has to return fail_with */
	long nr;                /* the call that is being made */
	char *calls[CALLS_MAX];
};

static const struct known *known(long nr)
{
	size_t i;

	for (i = 0; i < TABLE_LEN; i++)
		if (table[i].nr == nr)
			return &table[i];
	return NULL;
}

static bool is_accept(long nr)
{
	return nr == SYS_accept || nr == SYS_accept4;
}

static bool is_wait(long nr)
{
#ifdef SYS_epoll_wait
	if (nr == SYS_epoll_wait)
		return true;
#endif
	return nr == SYS_epoll_pwait;
}

static void die(const char *what)
{
	printf("error %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

#if defined(__x86_64__)
static void change_regs(pid_t pid, bool skip, long result)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		die("PTRACE_GETREGS");
	if (skip)
		regs.orig_rax = (unsigned long long)-1;
	else
		regs.rax = (unsigned long long)result;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0)
		die("PTRACE_SETREGS");
}
#elif defined(__aarch64__)
static void change_regs(pid_t pid, bool skip, long result)
{
	struct user_regs_struct regs;
	struct iovec io = { &regs, sizeof(regs) };
	int none = -1;

	if (skip) {
		io = (struct iovec){ &none, sizeof(none) };
		if (ptrace(PTRACE_SETREGSET, pid, (void *)(uintptr_t)NT_ARM_SYSTEM_CALL, &io) < 0)
			die("PTRACE_SETREGSET");
		return;
	}
	if (ptrace(PTRACE_GETREGSET, pid, (void *)(uintptr_t)NT_PRSTATUS, &io) < 0)
		die("PTRACE_GETREGSET");
	regs.regs[0] = (unsigned long long)result;
	if (ptrace(PTRACE_SETREGSET, pid, (void *)(uintptr_t)NT_PRSTATUS, &io) < 0)
		die("PTRACE_SETREGSET");
}
#else
static void change_regs(pid_t pid, bool skip, long result)
{
	(void)pid, (void)skip, (void)result;
	errno = ENOSYS;
	die("this machine's registers");
}
#endif

/* A text of the process, at most PATH_SHOWN bytes of it, without what would break the line. */
static void add_path(pid_t pid, uint64_t addr, char *out)
{
	struct iovec to = { out, PATH_SHOWN }, from = { (void *)(uintptr_t)addr, PATH_SHOWN };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0), i;

	/* Less than that may be readable: up to the end of its page then. */
	if (n < 0) {
		from.iov_len = 4096 - addr % 4096;
		if (from.iov_len > PATH_SHOWN)
			from.iov_len = PATH_SHOWN;
		n = process_vm_readv(pid, &to, 1, &from, 1, 0);
	}
	for (i = 0; i < n && out[i]; i++)
		if (out[i] <= ' ' || out[i] > '~')
			out[i] = '?';
	out[i < PATH_SHOWN ? i : PATH_SHOWN] = '\0';
}

/* The path of the file that a descriptor stands for, "" if it is none. */
static void add_file(pid_t pid, int fd, char *out)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(link, out, PATH_SHOWN);
	if (n > 0 && out[0] == '/' && !strchr(out, ' '))
		out[n] = '\0';
	else
		out[0] = '\0';
}

static char *describe(const struct tracer *t, const struct __ptrace_syscall_info *si)
{
	const struct known *k = known((long)si->entry.nr);
	char text[PATH_SHOWN + 64], path[PATH_SHOWN + 1] = "";
	bool by_fd = k && !k->path;
	char *out;

	if (k && k->path > 0)
		add_path(t->pid, si->entry.args[k->path - 1], path);
	else if (si->entry.nr == SYS_flock && !t->loop && si->entry.args[1] & LOCK_UN)
		strcpy(path, "unlock");
	else if (by_fd && t->loop)
		add_file(t->pid, (int)si->entry.args[0], path);
	if (k)
		snprintf(text, sizeof(text), "%s%s%s%s", k->name, path[0] ? ":" : "", path,
			 by_fd && (int)si->entry.args[0] == t->socket ? "@socket" :
			 by_fd && si->entry.args[0] == STDERR_FILENO ? "@log" : "");
	else
		snprintf(text, sizeof(text), "call_%ld", (long)si->entry.nr);
	out = malloc(strlen(text) + sizeof("!"));
	return out ? strcpy(out, text) : NULL;
}

static void forget(struct tracer *t)
{
	while (t->count > 0)
		free(t->calls[--t->count]);
	t->inside = t->failing = t->loop = false;
	t->socket = -1;
}

static void report(struct tracer *t, const char *how)
{
	long i;

	printf("%s %ld", how, t->count);
	for (i = 0; i < t->count; i++)
		printf(" %s", t->calls[i]);
	putchar('\n');
	fflush(stdout);
	forget(t);
	t->plan = PLAN_COUNT;
}

/* Names are compared up to the path, if that is not given. "NAME~TEXT|TEXT..." is a call of which the path has one of these texts. */
static bool is_called(const char *call, const char *name)
{
	const char *mark = strchr(name, '~'), *text;
	size_t len = mark ? (size_t)(mark - name) : strlen(name), n;

	if (!mark)
		return !len || (strncmp(call, name, len) == 0 && (call[len] == '\0' || (call[len] == ':' && !strchr(name, ':'))));
	for (text = mark; *text && strncmp(call, name, len) == 0 && call[len] == ':'; text += n) {
		char one[256];

		n = strcspn(++text, "|");
		snprintf(one, sizeof(one), "%.*s", (int)n, text);
		if (strstr(call + len, one))
			return true;
	}
	return false;
}

/* Whether the call is to fail then. */
static bool stand_still(const char *call)
{
	char line[16];

	printf("stopped %s\n", call);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(0);
	return strcmp(line, "stale\n") == 0;
}

/* Before a call; true where the request is over. */
static bool entering(struct tracer *t, const struct __ptrace_syscall_info *si)
{
	t->nr = (long)si->entry.nr;
	if (!t->inside)
		return false;
	if (is_wait(t->nr))
		return !t->loop;
	if (t->count == CALLS_MAX) {
		errno = E2BIG;
		die("a request");
	}
	t->calls[t->count] = describe(t, si);
	if (!t->calls[t->count++])
		die("memory");
	if (t->plan == PLAN_COUNT || t->count < t->at || !is_called(t->calls[t->count - 1], t->name))
		return false;
	t->made = t->plan == PLAN_LATE || t->nr == SYS_close;
	if (t->plan == PLAN_LATE && t->nr == SYS_openat && !(si->entry.args[2] & O_EXCL))
		return false;
	if (t->plan == PLAN_KILL) {
		kill(t->pid, SIGKILL);
		return false;
	}
	if (t->plan == PLAN_STOP) {
		t->plan = PLAN_COUNT;
		if (!stand_still(t->calls[t->count - 1]))
			return false;
		t->fail_with = ESTALE;
	} else if (t->plan == PLAN_FAIL || t->plan == PLAN_LATE)
		t->plan = PLAN_COUNT;           /* one is enough */
	else
		snprintf(t->name, sizeof(t->name), "%s", t->calls[t->count - 1]);
	t->failing = true;
	strcat(t->calls[t->count - 1], "!");
	if (!t->made)
		change_regs(t->pid, true, 0);
	return false;
}

static void leaving(struct tracer *t, const struct __ptrace_syscall_info *si)
{
	if (t->failing && (!t->made || si->exit.rval >= 0 || t->nr == SYS_close))
		change_regs(t->pid, false, -t->fail_with);
	t->failing = false;
	if (!t->inside && is_accept(t->nr) && si->exit.rval >= 0) {
		t->inside = true;
		t->socket = (int)si->exit.rval;
	}
}

/* One stop of the process; true where there is something to report, which is done. */
static bool stopped(struct tracer *t, int status)
{
	struct __ptrace_syscall_info si = { 0 };
	int sig = WSTOPSIG(status);
	bool over = false;

	if (sig == (SIGTRAP | 0x80)) {
		sig = 0;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(si), &si) < 0)
			return false;           /* killed meanwhile: waitpid tells */
		if (si.op == PTRACE_SYSCALL_INFO_ENTRY)
			over = entering(t, &si);
		else if (si.op == PTRACE_SYSCALL_INFO_EXIT)
			leaving(t, &si);
	} else if (status >> 16) {
		sig = 0;                /* a stop of ptrace's own */
	} else if (sig == SIGURG && t->loop) {
		sig = 0;
		over = true;
	}
	ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)(uintptr_t)sig);
	if (over)
		report(t, "done");
	return over;
}

/* Until the next request or the loop is over, or the process has ended. */
static void watch(struct tracer *t)
{
	char how[64];
	int status;

	for (;;) {
		if (waitpid(t->pid, &status, __WALL) < 0)
			die("waitpid");
		if (WIFSTOPPED(status)) {
			if (stopped(t, status))
				return;
			continue;
		}
		t->pid = 0;
		if (t->plan == PLAN_KILL && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			snprintf(how, sizeof(how), "killed");
		else
			snprintf(how, sizeof(how), "exited %d", status);
		report(t, how);
		return;
	}
}

/* Stops the process wherever it is; true where it is stopped, false where it has ended. */
static bool interrupt(struct tracer *t)
{
	int status;

	ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL);
	return waitpid(t->pid, &status, __WALL) == t->pid && WIFSTOPPED(status);
}

static void detach(struct tracer *t)
{
	if (t->pid && interrupt(t))
		ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
	t->pid = 0;
}

static void attach(struct tracer *t, pid_t pid)
{
	detach(t);
	forget(t);
	t->pid = pid;
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) < 0)
		die("PTRACE_SEIZE");
	if (!interrupt(t) || ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
		die("PTRACE_SYSCALL");
}

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

static void plan(struct tracer *t, enum plan p, long at, int fail_with, const char *name)
{
	t->plan = p;
	t->inside = t->loop;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->at = at;
	t->fail_with = fail_with;
	if (!t->pid) {
		errno = ESRCH;
		die("nobody is traced");
	}
	say("ready");
	watch(t);
}

int main(void)
{
	static struct tracer t = { .socket = -1 };
	char all[512], name[256];
	const char *line;
	int pid, err;
	long n;

	while (fgets(all, sizeof(all), stdin)) {
		name[0] = '\0';
		t.loop = strncmp(all, "loop ", 5) == 0;
		line = t.loop ? all + 5 : all;
		if (sscanf(line, "attach %d", &pid) == 1) {
			attach(&t, pid);
			say("attached");
		} else if (strcmp(line, "detach\n") == 0) {
			detach(&t);
			say("detached");
		} else if (strcmp(line, "count\n") == 0) {
			plan(&t, PLAN_COUNT, 0, 0, "");
		} else if (sscanf(line, "fail %ld %d %255s", &n, &err, name) >= 2) {
			plan(&t, PLAN_FAIL, n, err, name);
		} else if (sscanf(line, "late %ld %d %255s", &n, &err, name) == 3) {
			plan(&t, PLAN_LATE, n, err, name);
		} else if (sscanf(line, "lasting %ld %d %255s", &n, &err, name) >= 2) {
			plan(&t, PLAN_LASTING, n, err, name);
		} else if (sscanf(line, "kill %ld %255s", &n, name) >= 1) {
			plan(&t, PLAN_KILL, n, 0, name);
		} else if (sscanf(line, "stop %ld %255s", &n, name) >= 1) {
			plan(&t, PLAN_STOP, n, 0, name);
		} else {
			errno = EINVAL;
			die("command");
		}
	}
	detach(&t);
	return 0;
}
