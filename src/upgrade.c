/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upgrade: what goes from one program to the next.
 *
 * Owns BERTH_UPGRADE: "PID FD LOCK FD LOCK OUTLIVED" and then "PID POOL GONE" for each worker, numbers with a blank between.
 */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/process.h"

#define VARIABLE "BERTH_UPGRADE"
#define WORKERS_MAX 65536
#define FD_MAX 1048576

void upgrade_release(struct upgrade *u)
{
	free(u->workers);
	*u = (struct upgrade)UPGRADE_INIT;
}

/* The next number of the text, at most max; -1 where there is none. A descriptor that is missing is written as "-". */
static int64_t number(const char **p, uint64_t max)
{
	size_t len = strcspn(*p, " ");
	uint64_t n = 0;

	if (str_parse_u64(*p, len, &n) < 0 || n > max)
		return -1;
	*p += len + ((*p)[len] == ' ');
	return (int64_t)n;
}

static int descriptor(const char **p, int *fd)
{
	if (strncmp(*p, "- ", 2) == 0) {
		*p += 2;
		return 0;
	}
	*fd = (int)number(p, FD_MAX);
	return *fd < 0 ? -1 : 0;
}

static int worker(const char **p, struct upgrade *u)
{
	int64_t pid = number(p, INT32_MAX), pool = number(p, UPGRADE_POOLS - 1), gone = number(p, 1);

	if (pid <= 0 || pool < 0 || gone < 0 || u->count == WORKERS_MAX)
		return -1;
	u->workers = xreallocarray(u->workers, u->count + 1, sizeof(*u->workers));
	u->workers[u->count++] = (struct upgrade_worker){ (pid_t)pid, (unsigned)pool, gone != 0 };
	return 0;
}

static int parse(const char *p, struct upgrade *u)
{
	int64_t outlived;

	if (number(&p, INT32_MAX) != getpid())
		return -1;
	for (int i = 0; i < UPGRADE_POOLS; i++)
		if (descriptor(&p, &u->fd[i]) < 0 || descriptor(&p, &u->lock_fd[i]) < 0)
			return -1;
	outlived = number(&p, 1);
	if (outlived < 0 || u->fd[0] < 0)
		return -1;
	u->outlived = outlived != 0;
	while (*p)
		if (worker(&p, u) < 0)
			return -1;
	return 0;
}

/* Of one of these each: as they are when this process opens them itself. */
static void keep_to_ourselves(const struct upgrade *u, bool ours)
{
	for (int i = 0; i < UPGRADE_POOLS; i++) {
		if (u->fd[i] >= 0)
			fcntl(u->fd[i], F_SETFD, ours ? FD_CLOEXEC : 0);
		if (u->lock_fd[i] >= 0)
			fcntl(u->lock_fd[i], F_SETFD, ours ? FD_CLOEXEC : 0);
	}
}

int upgrade_taken(struct upgrade *u)
{
	const char *text = getenv(VARIABLE);
	int found;

	*u = (struct upgrade)UPGRADE_INIT;
	if (!text)
		return 0;
	found = parse(text, u) == 0;
	unsetenv(VARIABLE);
	if (found)
		keep_to_ourselves(u, true);
	else
		upgrade_release(u);
	return found;
}

static void add_descriptor(struct str *out, int fd)
{
	if (fd < 0)
		str_puts(out, " -");
	else
		str_addf(out, " %d", fd);
}

pid_t upgrade_check(char **argv, void (*in_child)(void *arg), void *arg)
{
	pid_t pid = os_fork(SIGTERM);
	size_t count = 0;
	char **with;

	if (pid != 0)
		return pid;
	in_child(arg);
	while (argv[count])
		count++;
	with = xcalloc(count + 2, sizeof(*with));
	memcpy(with, argv, count * sizeof(*with));
	with[count] = (char[]){ "--check" };
	execvp(argv[0], with);
	_exit(127);
}

void upgrade_exec(const struct upgrade *u, char **argv, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	str_addf(&text, "%d", (int)getpid());
	for (int i = 0; i < UPGRADE_POOLS; i++) {
		add_descriptor(&text, u->fd[i]);
		add_descriptor(&text, u->lock_fd[i]);
	}
	str_addf(&text, " %d", u->outlived);
	for (size_t i = 0; i < u->count; i++)
		str_addf(&text, " %d %u %d", (int)u->workers[i].pid, u->workers[i].pool, u->workers[i].told_to_go);
	if (setenv(VARIABLE, text.buf, 1) == 0) {
		keep_to_ourselves(u, false);
		execvp(argv[0], argv);
	}
	err_sys(e, "cannot start %s", argv[0]);
	keep_to_ourselves(u, true);
	unsetenv(VARIABLE);
}
