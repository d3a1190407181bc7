/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth user: users of the htpasswd file. It reads passwords from the terminal or from standard input, never from the
 * command line, which every user of the machine can see. Owns nothing.
 */
#include "cmd/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "auth/htpasswd_file.h"
#include "auth/pwhash.h"
#include "auth/robots.h"
#include "base/mem.h"
#include "cmd/account.h"
#include "os/file.h"
#include "os/process.h"

/* One line without its end; -1 after printing an error if it is empty, too long, or holds NUL. */
static int read_line(int fd, char *out, size_t most)
{
	size_t len = 0;
	char c = '\0';

	while (len <= most && os_read_full(fd, &c, 1) == 1 && c != '\n')
		out[len++] = c;
	if (len > 0 && out[len - 1] == '\r' && c == '\n')
		len--;
	out[len <= most ? len : 0] = '\0';
	if (len == 0 || len > most || strlen(out) != len) {
		fprintf(stderr, "berth: user: a password has 1 to %zu bytes, none of them NUL\n", most);
		return -1;
	}
	return 0;
}

/* Turns echo off, and always on again: signals such as Ctrl-C are delivered after the line is read. */
static int ask(int tty, const char *prompt, char *out, size_t most)
{
	struct termios before, quiet;
	sigset_t set, saved;
	int rc;

	if (tcgetattr(tty, &before) < 0) {
		fprintf(stderr, "berth: user: cannot ask on the terminal: %s\n", strerror(errno));
		return -1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, &saved);
	quiet = before;
	quiet.c_lflag &= (tcflag_t)~(ECHO | ECHONL);
	tcsetattr(tty, TCSAFLUSH, &quiet);      /* before the prompt: discards what was typed earlier */
	dprintf(tty, "%s", prompt);
	rc = read_line(tty, out, most);
	tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	sigprocmask(SIG_SETMASK, &saved, NULL);
	return rc;
}

static int ask_twice(int tty, char *out, size_t most)
{
	char *again = xcalloc(1, most + 2);
	int rc = ask(tty, "Password: ", out, most) < 0 || ask(tty, "Again: ", again, most) < 0 ? -1 : 0;

	if (rc == 0 && strcmp(out, again) != 0) {
		fputs("berth: user: the two passwords differ; nothing was changed\n", stderr);
		rc = -1;
	}
	explicit_bzero(again, most + 2);
	free(again);
	return rc;
}

static int new_hash(enum pwhash_scheme scheme, struct str *hash)
{
	size_t most = pwhash_most(scheme);
	char *password = xcalloc(1, most + 2);
	cleanup_fd int tty = isatty(STDIN_FILENO) ? os_open(AT_FDCWD, "/dev/tty", O_RDWR, 0) : -1;
	int rc = tty >= 0 ? ask_twice(tty, password, most) : read_line(STDIN_FILENO, password, most);

	if (rc == 0 && pwhash_make(scheme, password, hash) < 0) {
		fprintf(stderr, "berth: user: libcrypt cannot make a hash with %s\n", pwhash_scheme_name(scheme));
		rc = -1;
	}
	explicit_bzero(password, most + 2);
	free(password);
	return rc;
}

static void warn_of_faults(const char *file)
{
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	cleanup_str struct str skipped = STR_INIT, msg = STR_INIT;

	if (htpasswd_file_read(&f, file, NULL, &skipped, &msg) == 0 && skipped.len)
		fprintf(stderr, "berth: warning: %s\n", skipped.buf);
	if (msg.len)
		fprintf(stderr, "berth: warning: no user can log in until this is corrected:\n%s\n", msg.buf);
}

static const struct account_change verbs[] = {
	{ "add", "user", HTPASSWD_ADD, "user_add", "exists; `berth user passwd` sets a new password" },
	{ "passwd", "user", HTPASSWD_SET, "user_passwd", "does not exist; `berth user add` adds one" },
	{ "rm", "user", HTPASSWD_REMOVE, "user_rm", "does not exist" },
};

static int change(const struct config *c, const struct account_change *v, const char *user, enum pwhash_scheme scheme)
{
	cleanup_str struct str hash = STR_INIT;
	int rc;

	os_keep_secrets();
	if (v->change != HTPASSWD_REMOVE && new_hash(scheme, &hash) < 0)
		return CMD_FOUND;
	rc = account_edit(c, v, c->auth.htpasswd, user, hash.buf);
	if (rc == CMD_DONE)
		warn_of_faults(c->auth.htpasswd);
	return rc;
}

static int list(const struct config *c)
{
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	cleanup_str struct str msg = STR_INIT;

	if (htpasswd_file_read(&f, c->auth.htpasswd, NULL, NULL, &msg) < 0) {
		fprintf(stderr, "%s\n", msg.buf);
		return CMD_FOUND;
	}
	for (size_t i = 0; i < f.count; i++)
		printf("%s %s\n", f.v[i].user, pwhash_scheme_name(pwhash_scheme(f.v[i].hash)));
	return CMD_DONE;
}

static const struct account_change *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "bcrypt", no_argument, NULL, 'b' }, { NULL, 0, NULL, 0 } };
	enum pwhash_scheme scheme = PWHASH_YESCRYPT;
	cleanup_config struct config *c = NULL;
	const struct account_change *v;
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'b')
			return cmd_usage(&cmd_user_command);    /* getopt has printed the error */
		scheme = PWHASH_BCRYPT;
	}
	argc -= optind;
	argv += optind;
	v = argc == 2 ? find_verb(argv[0]) : NULL;
	if (!v && !(argc == 1 && strcmp(argv[0], "list") == 0))
		return cmd_usage(&cmd_user_command);
	if (v && !htpasswd_user_ok(argv[1], strlen(argv[1]))) {
		fputs("berth: user: a name has 1 to 255 bytes, no colon, no control character, and no @ or # at its start\n", stderr);
		return CMD_USAGE;
	}
	c = cmd_config(o);
	if (!c)
		return CMD_USAGE;
	if (v && v->change == HTPASSWD_ADD && robot_is(argv[1])) {
		fputs("berth: user: this is the name of a robot; `berth token add` adds one\n", stderr);
		return CMD_USAGE;
	}
	if (!c->auth.htpasswd[0]) {
		fputs("berth: user: the configuration has no htpasswd file; set \"auth.htpasswd\"\n", stderr);
		return CMD_USAGE;
	}
	return v ? change(c, v, argv[1], scheme) : list(c);
}

const struct cmd cmd_user_command = {
	.name = "user",
	.args = "add NAME [--bcrypt] | passwd NAME [--bcrypt] | rm NAME | list",
	.help = "manage users who log in with a password; it is read from the terminal, or from standard input",
	.run = run,
};
