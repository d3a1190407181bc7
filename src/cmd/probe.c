/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth probe: prints what a file system, or two mounts of one, do of what berth needs. Owns nothing; needs no configuration. To reach another
 * machine it runs a command, as ssh(1) is one: it opens no connection itself.
 */
#include "cmd/commands.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "care/mounts.h"
#include "care/mounts_line.h"
#include "os/file.h"
#include "os/fs.h"

#define WORDS 24        /* of a command */

static const char *const verdicts[] = { "-", "ok", "stale", "unfit" };

static void tell(void *arg, const struct mounts_result *r)
{
	bool json = *(const bool *)arg;
	cleanup_str struct str text = STR_INIT;

	if (!json) {
		printf("%-6s %-30s ", verdicts[r->verdict], r->name);
		if (r->usec >= 0)
			printf("%9.2f ms  %s\n", (double)r->usec / 1000, r->text);
		else
			printf("%14s%s\n", "", r->text);
		fflush(stdout);
		return;
	}
	str_add_json(&text, r->text, strlen(r->text));
	printf("{\"kind\":\"result\",\"name\":\"%s\",\"result\":\"%s\",\"usec\":", r->name,
	       r->verdict == MOUNTS_INFO ? "info" : verdicts[r->verdict]);
	if (r->usec >= 0)
		printf("%" PRId64, r->usec);
	else
		printf("null");
	printf(",\"text\":\"%s\"}\n", text.buf);
}

/* The line at the end, about mounts that have been tried. */
static void verdict(const struct mounts_options *o, enum mounts_verdict worst, bool json)
{
	cleanup_str struct str type = STR_INIT, options = STR_INIT, text = STR_INIT;
	cleanup_fd int fd = os_open(AT_FDCWD, o->dir, O_RDONLY | O_DIRECTORY, 0);
	const char *advice = fd >= 0 && fs_describe(fd, &type, &options) == 0 ? fs_fresh_options(type.buf) : NULL;
	bool two = o->other || o->with;
	const char *word = worst == MOUNTS_OK ? "fit" : verdicts[worst];

	if (worst == MOUNTS_UNFIT)
		str_puts(&text, two ? "several machines must not serve a store here" : "no store can be here");
	else if (worst == MOUNTS_STALE)
		str_puts(&text, "what one machine has acknowledged others may see late");
	else
		str_puts(&text, two ? "several machines can serve a store here" :
			 "a store can be here; what two machines see of each other takes a second mount");
	if (worst == MOUNTS_STALE && advice)
		str_addf(&text, "; mount it with %s", advice);
	if (json)
		printf("{\"kind\":\"verdict\",\"verdict\":\"%s\",\"text\":\"%s\"}\n", word, text.buf);
	else
		printf("%s: %s\n", word, text.buf);
}

static bool is_word(const char *s)
{
	return *s && *s != '-' && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == strlen(s);
}

/* The words of "SHELL HOST berth probe --follow DIR", which a shell on the other machine may read: so none has anything that means more there. */
static int command(struct str *shell, struct str *host, char *dir, char *words[WORDS + 1])
{
	static char berth[] = "berth", probe[] = "probe", option[] = "--follow";
	char *colon = strchr(host->buf, ':');
	size_t n;

	if (colon) {
		*colon = '\0';
		dir = colon + 1;
	}
	if (!is_word(host->buf) || !is_word(dir))
		return -1;
	if (!shell->len)
		str_puts(shell, "ssh");
	n = mounts_words(shell->buf, words, WORDS - 5);
	if (!n)
		return -1;
	words[n++] = host->buf;
	words[n++] = berth;
	words[n++] = probe;
	words[n++] = option;
	words[n++] = dir;
	words[n] = NULL;
	return 0;
}

static int run(const struct cmd_options *unused, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "client", required_argument, NULL, 'c' },
		{ "with", required_argument, NULL, 'w' }, { "by", required_argument, NULL, 'b' }, { "follow", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	cleanup_str struct str host = STR_INIT, shell = STR_INIT;
	char *words[WORDS + 1];
	bool json = false, follow = false;
	struct mounts_options o = { .tell = tell, .arg = &json };
	cleanup_err struct err e = ERR_INIT;
	enum mounts_verdict worst;
	uint64_t pid;
	int opt, dirs;

	(void)unused;
	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j') {
			json = true;
		} else if (opt == 'c') {
			if (str_parse_u64(optarg, strlen(optarg), &pid) < 0 || pid < 2 || pid > INT_MAX)
				return cmd_invalid(optarg, "process");
			o.client = (pid_t)pid;
		} else if (opt == 'w') {
			str_reset(&host);
			str_puts(&host, optarg);
		} else if (opt == 'b') {
			str_reset(&shell);
			str_puts(&shell, optarg);
		} else if (opt == 'f') {
			follow = true;
		} else {
			return cmd_usage(&cmd_probe_command);   /* getopt has printed the error */
		}
	}
	dirs = argc - optind;
	if (dirs < 1 || dirs > (follow || host.len ? 1 : 2) || (o.client && dirs != 2 && !host.len) || (shell.len && !host.len) ||
	    (follow && (host.len || o.client || json)))
		return cmd_usage(&cmd_probe_command);
	o.dir = argv[optind];
	if (follow)
		return mounts_follow(o.dir, STDIN_FILENO, STDOUT_FILENO) < 0 ? CMD_FOUND : CMD_DONE;
	if (host.len) {
		if (command(&shell, &host, argv[optind], words) < 0)
			return cmd_invalid(host.buf, "machine");
		o.with = words;
	} else {
		o.other = argv[optind + 1];
	}
	if (mounts_try(&o, &worst, &e) < 0) {
		cmd_complain(&e);
		return CMD_FOUND;
	}
	verdict(&o, worst, json);
	return worst == MOUNTS_UNFIT ? CMD_FOUND : CMD_DONE;
}

const struct cmd cmd_probe_command = {
	.name = "probe",
	.args = "DIR [DIR2] [--with HOST[:DIR]] [--by COMMAND] [--follow] [--client PID] [--json]",
	.help = "try whether a store can be in DIR, and what two machines see of each other",
	.run = run,
};
