/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth token: robot accounts. It makes a secret, prints it once, and stores only its hash. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/robots.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/time.h"
#include "cmd/account.h"
#include "os/process.h"

struct wanted {                 /* the options of `add` */
	struct robot r;
	bool has_expires;
};

/* Calls `parse` for each word of a list separated by commas; -1 if one is invalid, an empty one included. */
static int each_word(const char *list, int (*parse)(struct robot *r, const char *word), struct robot *r)
{
	for (;;) {
		size_t n = strcspn(list, ",");
		cleanup_free char *word = xstrndup(list, n);

		if (parse(r, word) < 0)
			return -1;
		if (!list[n])
			return 0;
		list += n + 1;
	}
}

static int parse_repository(struct robot *r, const char *word)
{
	const char *why = pattern_fault(word);

	if (why) {
		fprintf(stderr, "berth: token: \"%s\" is not a valid pattern: it %s\n", word, why);
		return -1;
	}
	names_add(&r->repositories, word, strlen(word));
	return 0;
}

static int parse_action(struct robot *r, const char *word)
{
	if (right_add(word, &r->may) == 0)
		return 0;
	fprintf(stderr, "berth: token: \"%s\" is not one of " RIGHT_WORDS "\n", word);
	return -1;
}

static int parse_expires(struct wanted *w, const char *text)
{
	uint64_t seconds;

	w->has_expires = true;
	if (strcmp(text, "never") == 0)
		return 0;
	if (time_parse_duration(text, &seconds) < 0 || seconds == 0 || seconds > (uint64_t)UINT32_MAX) {
		fprintf(stderr, "berth: token: \"%s\" is not a time to live, such as \"90d\", \"12h\" or \"never\"\n", text);
		return -1;
	}
	w->r.expires = (int64_t)time(NULL) + (int64_t)seconds;
	return 0;
}

static const struct account_change adding = {
	"add", "token", HTPASSWD_ADD, "token_add", "exists; to get a new secret, remove it first"
};
static const struct account_change removing = { "rm", "token", HTPASSWD_REMOVE, "token_rm", "does not exist" };

static int add(const struct config *c, const char *user, struct wanted *w)
{
	cleanup_str struct str secret = STR_SECRET, line = STR_INIT;
	int rc;

	os_keep_secrets();
	robot_secret(&secret, w->r.hash);
	robot_line(&w->r, &line);
	rc = account_edit(c, &adding, c->auth.robots, user, line.buf);
	if (rc == CMD_DONE)
		printf("user:   %s\nsecret: %s\n", user, secret.buf);
	return rc;
}

static void show_expiry(const struct robot *r)
{
	char text[TIME_RFC3339_MAX];

	if (!r->expires) {
		fputs("never", stdout);
		return;
	}
	printf("%s%s", time_text(text, r->expires), robot_expired(r, (int64_t)time(NULL)) ? " (expired)" : "");
}

/* One line for each robot: its name, expiry, rights and repositories. */
static int list(const struct config *c)
{
	cleanup_robots_file struct robots_file f = ROBOTS_FILE_INIT;
	cleanup_str struct str msg = STR_INIT;

	if (robots_read(&f, c->auth.robots, NULL, &msg) < 0) {
		fprintf(stderr, "%s\n", msg.buf);
		return CMD_FOUND;
	}
	for (size_t i = 0; i < f.count; i++) {
		cleanup_str struct str line = STR_INIT;
		const char *rights;

		robot_line(&f.v[i], &line);
		rights = strchr(strchr(line.buf, ':') + 1, ':') + 1;
		printf("%s ", f.v[i].user);
		show_expiry(&f.v[i]);
		printf(" %.*s %s\n", (int)strcspn(rights, ":"), rights, strchr(rights, ':') + 1);
	}
	return CMD_DONE;
}

static int parse(int argc, char **argv, struct wanted *w)
{
	static const struct option options[] = {
		{ "repo", required_argument, NULL, 'r' }, { "may", required_argument, NULL, 'm' },
		{ "expires", required_argument, NULL, 'e' }, { NULL, 0, NULL, 0 }
	};
	int opt, rc = 0;

	optind = 0;             /* getopt_long starts over */
	while (rc == 0 && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'r')
			rc = each_word(optarg, parse_repository, &w->r);
		else if (opt == 'm')
			rc = each_word(optarg, parse_action, &w->r);
		else
			rc = opt == 'e' ? parse_expires(w, optarg) : -1;
	}
	return rc;
}

static int run_verb(const struct config *c, const char *verb, const char *name, struct wanted *w)
{
	cleanup_str struct str user = STR_INIT;

	if (!name)
		return list(c);
	str_addf(&user, "%s%s", robot_is(name) ? "" : ROBOT_PREFIX, name);
	if (!robot_user_ok(user.buf, user.len)) {
		fputs("berth: token: a name has 1 to 64 letters, digits, '.', '_' or '-'\n", stderr);
		return CMD_USAGE;
	}
	return strcmp(verb, "add") == 0 ? add(c, user.buf, w) : account_edit(c, &removing, c->auth.robots, user.buf, NULL);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	struct wanted w = { .r.repositories = NAMES_INIT };
	cleanup_config struct config *c = NULL;
	int rc = parse(argc, argv, &w);
	bool given = w.r.may || w.r.repositories.count || w.has_expires;
	bool whole = w.r.may && w.r.repositories.count && w.has_expires;

	argc -= optind;
	argv += optind;
	if (rc < 0 || argc < 1 || !(strcmp(argv[0], "add") == 0 ? argc == 2 && whole :
				    strcmp(argv[0], "rm") == 0 ? argc == 2 && !given : strcmp(argv[0], "list") == 0 && argc == 1 && !given))
		rc = cmd_usage(&cmd_token_command);
	else if (!robot_admin_ok(&w.r)) {
		fputs("berth: token: \"admin\" is a right in the whole registry: it needs --repo '**'\n", stderr);
		rc = CMD_USAGE;
	} else if (!(c = cmd_config(o)))
		rc = CMD_USAGE;
	else if (!c->auth.robots[0]) {
		fputs("berth: token: the configuration has no file of robots; set \"auth.robots\"\n", stderr);
		rc = CMD_USAGE;
	} else {
		rc = run_verb(c, argv[0], argv[1], &w);
	}
	names_release(&w.r.repositories);
	return rc;
}

const struct cmd cmd_token_command = {
	.name = "token",
	.args = "add NAME --repo PATTERN[,...] --may pull[,push][,delete][,admin] --expires 90d|never | rm NAME | list",
	.help = "manage robot accounts, for machines; the secret of a new one is printed once",
	.run = run,
};
