/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth ready: asks the workers of a running registry what /readyz asks, without nginx. For health checks.
 *
 * Owns nothing. Needs no configuration and no store; the user has to be one that may connect to the socket.
 */
#include "cmd/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fcgi.h"
#include "os/file.h"
#include "os/process.h"
#include "os/sock.h"

#define SOCKET_DEFAULT "/run/berth/workers.sock"
#define PATIENCE 8              /* seconds; a worker says after 5 that the store does not answer */
#define ANSWER_MAX 65536        /* bytes */

static const char *const question[] = {
	"REQUEST_METHOD", "GET", "REQUEST_URI", "/readyz", "SERVER_PROTOCOL", "HTTP/1.0", "REMOTE_ADDR", "127.0.0.1",
	"BERTH_MONITOR", "ready", NULL,
};

static int ask(const char *path, struct str *head_and_body, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	cleanup_fd int fd = sock_connect(path, PATIENCE, e);

	if (fd < 0)
		return -1;
	fcgi_ask(&bytes, question);
	if (os_write_full(fd, bytes.buf, bytes.len) < 0)
		return err_sys(e, "cannot ask the workers at %s", path);
	str_reset(&bytes);
	if (os_read_str(fd, ANSWER_MAX, &bytes) < 0)
		return err_sys(e, "no worker answers at %s", path);
	if (fcgi_answer(bytes.buf, bytes.len, head_and_body) != 1)
		return err_set(e, ERR_UNAVAILABLE, "no worker answers at %s", path);
	return 0;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	cleanup_str struct str answer = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	const char *body;

	(void)o;
	if (argc > 2)
		return cmd_usage(&cmd_ready_command);
	os_signal(SIGPIPE, SIG_IGN);    /* of workers that end just then: it is said, too */
	if (ask(argc == 2 ? argv[1] : SOCKET_DEFAULT, &answer, &e) < 0) {
		cmd_complain(&e);
		return CMD_FOUND;
	}
	body = strstr(answer.buf, "\r\n\r\n");
	body = body ? body + 4 : answer.buf;
	fputs(body, stdout);
	return strcmp(body, "ready\n") == 0 ? CMD_DONE : CMD_FOUND;
}

const struct cmd cmd_ready_command = {
	.name = "ready",
	.args = "[SOCKET]",
	.help = "ask the workers of a running registry whether it is ready; for health checks",
	.run = run,
};
