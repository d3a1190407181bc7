/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth probe: prints what a file system, or two mounts of one, do of what berth needs. Owns nothing; needs no configuration. To reach another
 * machine it runs a command, as ssh(1) is one: it opens no connection itself.
 */
#include "cmd/commands.h"

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
#include "os/process.h"

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

struct args {
	struct mounts_options o;
	bool json;
};

/* The line at the end. */
static void verdict(const struct args *a, enum mounts_verdict worst, const struct str *text)
{
	const char *word = worst == MOUNTS_OK ? "fit" : verdicts[worst];
	cleanup_str struct str escaped = STR_INIT;

	str_add_json(&escaped, text->buf, text->len);
	if (a->json)
		printf("{\"kind\":\"verdict\",\"verdict\":\"%s\",\"text\":\"%s\"}\n", word, escaped.buf);
	else
		printf("%s: %s\n", word, text->buf);
}

static int try(void *arg)
{
	const struct args *a = arg;
	cleanup_str struct str text = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	enum mounts_verdict worst;

	if (mounts_try(&a->o, &worst, &text, &e) < 0) {
		cmd_complain(&e);
		return CMD_FOUND;
	}
	verdict(a, worst, &text);
	return worst == MOUNTS_UNFIT ? CMD_FOUND : CMD_DONE;
}

static int follow(const char *dir)
{
	int rc = mounts_follow(dir, STDIN_FILENO, STDOUT_FILENO);

	if (os_asked_to_end())
		os_end();
	return rc < 0 ? CMD_FOUND : CMD_DONE;
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
	bool follows = false;
	struct args a = { .o = { .tell = tell, .arg = &a.json } };
	struct mounts_options *o = &a.o;
	cleanup_err struct err e = ERR_INIT;
	uint64_t pid;
	int opt, dirs, rc;

	(void)unused;
	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j') {
			a.json = true;
		} else if (opt == 'c') {
			if (str_parse_u64(optarg, strlen(optarg), &pid) < 0 || pid < 2 || pid > INT_MAX)
				return cmd_invalid(optarg, "process");
			o->client = (pid_t)pid;
		} else if (opt == 'w') {
			str_reset(&host);
			str_puts(&host, optarg);
		} else if (opt == 'b') {
			str_reset(&shell);
			str_puts(&shell, optarg);
		} else if (opt == 'f') {
			follows = true;
		} else {
			return cmd_usage(&cmd_probe_command);   /* getopt has printed the error */
		}
	}
	dirs = argc - optind;
	if (dirs < 1 || dirs > (follows || host.len ? 1 : 2) || (o->client && dirs != 2 && !host.len) || (shell.len && !host.len) ||
	    (follows && (host.len || o->client || a.json)))
		return cmd_usage(&cmd_probe_command);
	o->dir = argv[optind];
	os_end_by_asking();
	if (follows)
		return follow(o->dir);
	if (host.len) {
		if (command(&shell, &host, argv[optind], words) < 0)
			return cmd_invalid(host.buf, "machine");
		o->with = words;
	} else {
		o->other = argv[optind + 1];
	}
	rc = mounts_watch(try, &a, &e);
	if (rc < 0)
		cmd_complain(&e);
	return rc < 0 ? CMD_FOUND : rc;
}

const struct cmd cmd_probe_command = {
	.name = "probe",
	.args = "DIR [DIR2] [--with HOST[:DIR]] [--by COMMAND] [--follow] [--client PID] [--json]",
	.help = "try whether a store can be in DIR, and what two machines see of each other",
	.run = run,
};
