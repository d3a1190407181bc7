/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth probe: prints what a file system, or two mounts of one, do of what berth needs. Owns nothing; needs no configuration.
 */
#include "cmd/commands.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "care/mounts.h"
#include "os/file.h"
#include "os/fs.h"

static const char *const words[] = { "-", "ok", "stale", "unfit" };

static void tell(void *arg, const struct mounts_result *r)
{
	bool json = *(const bool *)arg;
	cleanup_str struct str text = STR_INIT;

	if (!json) {
		printf("%-6s %-30s ", words[r->verdict], r->name);
		if (r->usec >= 0)
			printf("%9.2f ms  %s\n", (double)r->usec / 1000, r->text);
		else
			printf("%14s%s\n", "", r->text);
		fflush(stdout);
		return;
	}
	str_add_json(&text, r->text, strlen(r->text));
	printf("{\"kind\":\"result\",\"name\":\"%s\",\"result\":\"%s\",\"usec\":", r->name, r->verdict == MOUNTS_INFO ? "info" : words[r->verdict]);
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
	const char *advice = fd >= 0 && fs_describe(fd, &type, &options) == 0 ? mounts_advice(type.buf) : NULL;
	const char *word = worst == MOUNTS_OK ? "fit" : words[worst];

	if (worst == MOUNTS_UNFIT)
		str_puts(&text, o->other ? "several machines must not serve a store here" : "no store can be here");
	else if (worst == MOUNTS_STALE)
		str_puts(&text, "what one machine has acknowledged others may see late");
	else
		str_puts(&text, o->other ? "several machines can serve a store here" :
			 "a store can be here; what two machines see of each other takes a second mount");
	if (worst == MOUNTS_STALE && advice)
		str_addf(&text, "; mount it with %s", advice);
	if (json)
		printf("{\"kind\":\"verdict\",\"verdict\":\"%s\",\"text\":\"%s\"}\n", word, text.buf);
	else
		printf("%s: %s\n", word, text.buf);
}

static int run(const struct cmd_options *unused, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "client", required_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
	};
	bool json = false;
	struct mounts_options o = { .tell = tell, .arg = &json };
	cleanup_err struct err e = ERR_INIT;
	enum mounts_verdict worst;
	uint64_t pid;
	int opt;

	(void)unused;
	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j') {
			json = true;
		} else if (opt == 'c') {
			if (str_parse_u64(optarg, strlen(optarg), &pid) < 0 || pid < 2 || pid > INT_MAX)
				return cmd_invalid(optarg, "process");
			o.client = (pid_t)pid;
		} else {
			return cmd_usage(&cmd_probe_command);   /* getopt has printed the error */
		}
	}
	if (argc - optind < 1 || argc - optind > 2 || (o.client && argc - optind != 2))
		return cmd_usage(&cmd_probe_command);
	o.dir = argv[optind];
	o.other = argv[optind + 1];
	if (mounts_try(&o, &worst, &e) < 0) {
		cmd_complain(&e);
		return CMD_FOUND;
	}
	verdict(&o, worst, json);
	return worst == MOUNTS_UNFIT ? CMD_FOUND : CMD_DONE;
}

const struct cmd cmd_probe_command = {
	.name = "probe",
	.args = "DIR [DIR2] [--client PID] [--json]",
	.help = "try whether a store can be in DIR, and what two machines see of each other",
	.run = run,
};
