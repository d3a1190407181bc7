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

#include "base/time.h"
#include "os/file.h"
#include "os/process.h"

#define END_MS 5000             /* within which it ends when it was told to leave */

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

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (m->peer = os_fork(SIGTERM)) < 0)
		return err_sys(e, "cannot start the second process");
	if (m->peer == 0) {
		close(pair[0]);
		mounts_unwatched();
		os_end_by_asking();     /* alone: its end is not that of the probe */
		if (m->o->with)
			run_command(m->o->with, pair[1]);
		_exit(mounts_follow(m->o->other, pair[1], pair[1]) < 0);
	}
	close(pair[1]);
	m->b = pair[0];
	if (mounts_read_line(m->b, MOUNTS_ANSWER_MS, &hello) < 0 && errno != EPROTO)
		return err_set(e, ERR_UNKNOWN, "the other machine does not answer");
	if (strcmp(hello.buf, MOUNTS_HELLO) != 0)
		return err_set(e, ERR_UNKNOWN, "the other machine answers with something else than berth probe of this version");
	return 0;
}

/* It may hang in a call of its file system, or as ssh does without its network. */
void mounts_part(struct mounts *m)
{
	uint64_t begun = time_now_usec();
	bool left = mounts_tell(m, "leave") == 0;

	os_cleanup_fd(&m->b);
	m->b = -1;
	if (m->peer <= 0)
		return;
	while (waitpid(m->peer, NULL, WNOHANG) == 0) {
		if (time_now_usec() - begun > END_MS * UINT64_C(1000)) {
			kill(m->peer, left ? SIGKILL : SIGTERM);
			break;
		}
		os_pause(2000);
	}
	m->peer = 0;
}

/* "RESULT ERRNO TEXT", from another machine: 1 it was done, 0 it failed, -1 it is no answer. */
static int take_answer(const struct str *line, struct str *said, int *failed)
{
	const char *error = strchr(line->buf, ' '), *text = error ? strchr(error + 1, ' ') : NULL;
	size_t len = error ? (size_t)(error - line->buf) : 0;
	uint64_t number;

	if (!text || str_parse_u64(error + 1, (size_t)(text - error - 1), &number) < 0)
		return -1;
	str_puts(said, text + 1);
	if (len == 1 && line->buf[0] == '0' && number == 0)
		return 1;
	*failed = (int)number;
	return len == 2 && memcmp(line->buf, "-1", 2) == 0 && number > 0 && number < 4096 ? 0 : -1;
}

int mounts_tell(struct mounts *m, const char *fmt, ...)
{
	cleanup_str struct str line = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&line, fmt, ap);
	va_end(ap);
	str_addc(&line, '\n');
	mounts_alive();
	if (m->b >= 0 && send(m->b, line.buf, line.len, MSG_NOSIGNAL) == (ssize_t)line.len)
		return 0;
	errno = EPIPE;
	return -1;
}

int mounts_hear(struct mounts *m, struct str *said)
{
	cleanup_str struct str line = STR_INIT;
	int failed = EPIPE, rc = -1;

	str_reset(said);
	if (m->b >= 0 && mounts_read_line(m->b, MOUNTS_ANSWER_MS, &line) == 0) {
		rc = take_answer(&line, said, &failed);
		failed = rc < 0 ? EPROTO : failed;
	} else if (m->b >= 0 && errno == EPROTO) {
		failed = EPROTO;
	}
	mounts_alive();
	if (rc > 0)
		return 0;
	if (rc < 0) {           /* whatever else it may say would be about an older order */
		os_cleanup_fd(&m->b);
		m->b = -1;
	}
	errno = failed;
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
	if (value ? str_parse_u64(said.buf, said.len, value) == 0 : !said.len)
		return 0;
	errno = EPROTO;
	return -1;
}
