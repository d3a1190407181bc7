/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth rules apply: parses the options, and prints what a run of the rules did or would do. Owns nothing.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/pattern.h"
#include "base/time.h"
#include "care/retain_run.h"
#include "cmd/commands.h"
#include "cmd/rules_cmd.h"
#include "os/process.h"
#include "store/pulled.h"

struct call {
	struct retain_options o;
	bool json;
};

static void add_time(struct str *out, const char *key, int64_t when)
{
	char text[TIME_RFC3339_MAX];

	str_addf(out, ",\"%s\":\"%s\"", key, time_text(text, when));
}

static void tell_json(const struct retain_told *told, const char *why)
{
	cleanup_str struct str out = STR_INIT, where = STR_INIT;
	const struct retain_tag *t = told->tag;

	str_addf(&out, "{\"kind\":\"tag\",\"repository\":\"%s\",\"tag\":\"%s\",\"digest\":\"%s\",\"stays\":%s", told->n->s, t->name, t->digest.text,
		 retain_stays(t) ? "true" : "false");
	if (t->why == RETAIN_ENTRY)
		retain_where(told->rule, &told->rule->keep[t->entry], &where);
	else
		str_puts(&where, told->rule->where);
	str_puts(&out, ",\"rule\":\"");
	str_add_json(&out, where.buf, where.len);
	str_puts(&out, "\",\"why\":\"");
	str_add_json(&out, why, strlen(why));
	str_addc(&out, '"');
	add_time(&out, "pushed", t->pushed / RETAIN_USEC);
	if (t->pulled != RETAIN_NEVER)
		add_time(&out, "pulled", t->pulled / PULLED_HOUR * PULLED_HOUR);
	str_addc(&out, '}');
	puts(out.buf);
}

static void tell(void *arg, const struct retain_told *told)
{
	cleanup_str struct str why = STR_INIT;
	const struct call *c = arg;

	retain_say(told->tag, told->rule, told->now, &why);
	if (c->json)
		tell_json(told, why.buf);
	else
		printf("%s:%s %s\n", told->n->s, told->tag->name, why.buf);
}

static int go_on(void *arg, struct err *e)
{
	int sig = os_asked_to_end();

	(void)arg;
	return sig ? err_set(e, ERR_UNKNOWN, "ended by signal %d; what was removed stays so, and the next run goes on", sig) : 0;
}

static void sum_up_json(const struct call *c, const struct retain_result *r)
{
	printf("{\"kind\":\"summary\",\"dry_run\":%s,\"repositories\":%" PRIu64 ",\"tags\":%" PRIu64 ",\"removed\":%" PRIu64 ",\"changed\":%" PRIu64
	       ",\"behind\":%" PRIu64, c->o.dry_run ? "true" : "false", r->repositories, r->tags, r->removed, r->changed, r->behind);
	if (c->o.dry_run)
		printf(",\"bytes\":%" PRIu64, r->bytes);
	puts("}");
}

static void sum_up(const struct call *c, const struct retain_result *r)
{
	printf("%s %" PRIu64 " of %" PRIu64 " tags in %" PRIu64 " repositories", c->o.dry_run ? "would remove" : "removed", r->removed, r->tags,
	       r->repositories);
	if (c->o.dry_run)
		printf(", which alone need %" PRIu64 " bytes there", r->bytes);
	if (r->changed)
		printf("; %" PRIu64 " stay since they changed meanwhile", r->changed);
	if (r->behind)
		printf("; %" PRIu64 " stay since the clock is behind the last run of the rules or behind a push", r->behind);
	putchar('\n');
}

static int apply(struct registry *r, void *arg, struct err *e)
{
	cleanup_err struct err later = ERR_INIT;
	struct call *c = arg;
	struct retain_run *run = NULL;
	struct retain_result result;
	int rc, ended;

	if (!rules_any(r->cfg, RULE_KEEP))
		return err_set(e, ERR_UNSUPPORTED, "no rule of the configuration says \"keep\", so no tag goes");
	os_end_by_asking();
	rc = retain_begin(&run, r, &c->o, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_UNAVAILABLE, "another process is applying the rules, perhaps a collection; try again when it has ended");
	rc = retain_all(run, e);
	ended = retain_end(&run, rc == 0, &result, &later);
	if (rc == 0 && ended < 0) {
		*e = later;
		later = (struct err)ERR_INIT;
		rc = -1;
	}
	if (rc < 0)
		return -1;
	(c->json ? sum_up_json : sum_up)(c, &result);
	return CMD_DONE;
}

int cmd_rules_apply(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' }, { "json", no_argument, NULL, 'j' },
		{ "repo", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 },
	};
	struct call c = { .o = { .by_hand = true, .tell = tell, .pace = go_on } };
	int opt;

	c.o.arg = &c;
	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'n':
			c.o.dry_run = true;
			break;
		case 'j':
			c.json = true;
			break;
		case 'r':
			if (pattern_fault(optarg))
				return cmd_invalid(optarg, "pattern of repositories; `berth --help` shows an example");
			c.o.repo = optarg;
			break;
		default:        /* getopt has printed the error */
			return RULES_USAGE;
		}
	}
	if (optind != argc)
		return RULES_USAGE;
	opt = cmd_on_store(o, c.o.dry_run ? cmd_store_to_read : cmd_store_to_change, apply, &c);
	if (opt != CMD_DONE && os_asked_to_end()) {
		fflush(stdout);
		os_end();
	}
	return opt;
}
