/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth access: asks the rules whether a request would be allowed. Owns nothing.
 */
#include "cmd/commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/access.h"
#include "auth/htpasswd_file.h"
#include "auth/robots.h"
#include "base/pattern.h"
#include "base/ref.h"
#include "conf/rules.h"

static void say_rule(const struct config *c, const struct config_rule *r)
{
	printf("yes: %s:%u: who = [", c->file, r->line);
	for (size_t i = 0; i < r->who.count; i++)
		printf("%s \"%s\"", i ? "," : "", r->who.v[i]);
	printf(" ]; repo = \"%s\"\n", r->repo);
}

/* What prevents an allowed request, and the rule that says it, if one does. */
static void say_but(const struct config *c, const struct name *repo, enum rule_member what, const char *why)
{
	const struct rule *r = what == RULE_READONLY && c->readonly ? NULL : rules_find(c, repo, what);

	printf("but %s%s%s\n", why, r ? ", at " : "", r ? r->where : "");
}

static int check(const struct config *c, const char *user, const struct name *repo, enum right right)
{
	const struct config_rule *rule;
	bool yes = access_may(c, user, repo->s, repo->len, right, &rule);

	if (rule)
		say_rule(c, rule);
	else if (!c->auth.on && !yes)
		puts("no: there is no \"auth\" in the configuration, so nobody is an administrator");
	else if (!c->auth.on)
		puts("yes: there is no \"auth\" in the configuration, so everything is allowed to everybody");
	else if (yes)
		puts("yes: there is no \"auth.access\", so every user with a login is allowed everything");
	else if (c->auth.ruled)
		puts("no: no rule allows it");
	else
		puts("no: there is no \"auth.access\", so only users with a login are allowed anything");
	if (yes && right == RIGHT_DELETE && !rules_delete(c, repo))
		say_but(c, repo, RULE_DELETE, "deletion is off: \"delete\" is false");
	if (yes && (right == RIGHT_PUSH || right == RIGHT_DELETE) && rules_readonly(c, repo))
		say_but(c, repo, RULE_READONLY, c->readonly ? "the registry is read-only: \"readonly\" is true" :
			"the repository is read-only: \"readonly\" is true");
	return yes ? CMD_DONE : CMD_FOUND;
}

/* A robot has the rights of its line, and those that the rules give to everybody. */
static int check_robot(const struct config *c, const char *user, const struct name *repo, enum right right)
{
	cleanup_robots_file struct robots_file f = ROBOTS_FILE_INIT;
	cleanup_str struct str msg = STR_INIT;
	const struct robot *r;

	if (robots_read(&f, c->auth.robots, NULL, &msg) < 0) {
		fprintf(stderr, "%s\n", msg.buf);
		return CMD_FOUND;
	}
	r = robots_file_find(&f, user);
	if (!r || robot_expired(r, (int64_t)time(NULL))) {
		printf("no: %s\n", r ? "the robot has expired" : "there is no such robot");
		return CMD_FOUND;
	}
	for (size_t i = 0; (r->may & (unsigned)right) && i < r->repositories.count; i++) {
		if (!pattern_match(r->repositories.v[i], repo->s, repo->len))
			continue;
		printf("yes: by its line in %s, for %s\n", c->auth.robots, r->repositories.v[i]);
		return CMD_DONE;
	}
	return check(c, NULL, repo, right);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	cleanup_config struct config *c = NULL;
	enum right right;
	struct name repo;
	bool nobody;

	if (argc != 5 || strcmp(argv[1], "check") != 0)
		return cmd_usage(&cmd_access_command);
	nobody = strcmp(argv[2], "-") == 0 || strcmp(argv[2], "@anonymous") == 0;
	if (!nobody && !htpasswd_user_ok(argv[2], strlen(argv[2]))) {
		fprintf(stderr, "berth: access: \"%s\" is not a valid user name; \"-\" is a client without a login\n", argv[2]);
		return CMD_USAGE;
	}
	if (cmd_name(&repo, argv[3]) < 0)
		return CMD_USAGE;
	if (right_parse(argv[4], &right) < 0) {
		fprintf(stderr, "berth: access: \"%s\" is not one of " RIGHT_WORDS "\n", argv[4]);
		return CMD_USAGE;
	}
	c = cmd_config(o);
	if (!c)
		return CMD_USAGE;
	if (c->auth.on && c->auth.robots[0] && robot_is(argv[2]))
		return check_robot(c, argv[2], &repo, right);
	return check(c, nobody ? NULL : argv[2], &repo, right);
}

const struct cmd cmd_access_command = {
	.name = "access",
	.args = "check USER|- REPOSITORY pull|push|delete|admin",
	.help = "say whether a user, or a client without a login (-), is allowed to do that, and by which rule",
	.run = run,
};
