/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_ask: telling the other machine what to do, and hearing what came of it.
 *
 * Owns the process that follows, or the command that leads to one on another machine, and the socket between.
 */
#include "care/mounts_line.h"
#include "care/mounts_own.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "os/process.h"

#define ANSWER_MS 120000        /* longer than any order takes */

/* In the new process: the command with the socket as its input and output. */
static _Noreturn void run_command(char *const *argv, int fd)
{
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "berth: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int mounts_meet(struct mounts *m, struct err *e)
{
	cleanup_str struct str hello = STR_INIT;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (m->peer = os_fork(SIGKILL)) < 0)
		return err_sys(e, "cannot start the second process");
	if (m->peer == 0) {
		close(pair[0]);
		if (m->o->with)
			run_command(m->o->with, pair[1]);
		_exit(mounts_follow(m->o->other, pair[1], pair[1]) < 0);
	}
	close(pair[1]);
	m->b = pair[0];
	if (mounts_read_line(m->b, ANSWER_MS, &hello) < 0)
		return err_set(e, ERR_UNKNOWN, "the other machine does not answer");
	if (strcmp(hello.buf, MOUNTS_HELLO) != 0)
		return err_set(e, ERR_UNKNOWN, "the other machine answers with something else than berth probe of this version");
	return 0;
}

void mounts_part(struct mounts *m)
{
	os_cleanup_fd(&m->b);
	m->b = -1;
	if (m->peer > 0)
		waitpid(m->peer, NULL, 0);
	m->peer = 0;
}

/* "RESULT ERRNO TEXT" */
static int take_answer(const struct str *line, struct str *said)
{
	char *end, *text;
	long rc = strtol(line->buf, &end, 10), error = strtol(end, &text, 10);

	if (*text == ' ')
		str_puts(said, text + 1);
	if (rc == 0)
		return 0;
	errno = error > 0 && error < 4096 ? (int)error : EPROTO;
	return -1;
}

int mounts_tell(struct mounts *m, const char *fmt, ...)
{
	cleanup_str struct str line = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&line, fmt, ap);
	va_end(ap);
	str_addc(&line, '\n');
	if (m->b >= 0 && send(m->b, line.buf, line.len, MSG_NOSIGNAL) == (ssize_t)line.len)
		return 0;
	errno = EPIPE;
	return -1;
}

int mounts_hear(struct mounts *m, struct str *said)
{
	cleanup_str struct str line = STR_INIT;

	str_reset(said);
	if (m->b >= 0 && mounts_read_line(m->b, ANSWER_MS, &line) == 0)
		return take_answer(&line, said);
	/* Whatever else it may say would be about an older order. */
	os_cleanup_fd(&m->b);
	m->b = -1;
	errno = EPIPE;
	return -1;
}

int mounts_ask(struct mounts *m, uint64_t *value, const char *fmt, ...)
{
	cleanup_str struct str line = STR_INIT, said = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&line, fmt, ap);
	va_end(ap);
	if (mounts_tell(m, "%s", line.buf) < 0 || mounts_hear(m, &said) < 0)
		return -1;
	if (!value || str_parse_u64(said.buf, said.len, value) == 0)
		return 0;
	errno = EPROTO;
	return -1;
}
