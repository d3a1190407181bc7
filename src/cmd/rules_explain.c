/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth rules explain: says which rules apply to a repository or a tag, and what they do. Owns nothing.
 */
#include "cmd/rules_cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "care/retain.h"
#include "care/retain_explain.h"
#include "cmd/commands.h"
#include "conf/rules.h"
#include "registry/reg_quota.h"
#include "store/repo.h"
#include "store/tag.h"
#include "store/tag_count.h"

struct call {
	bool json, has_tag;
	struct name n;
	struct tag t;
};

/* A line about a rule. where, text: complete */
static void tell(const struct call *c, const char *member, const char *where, const char *text)
{
	cleanup_str struct str out = STR_INIT;

	if (!c->json) {
		printf("  %s%s%s: %s\n", where, *where ? ": " : "", member, text);
		return;
	}
	str_addf(&out, "{\"kind\":\"rule\",\"repository\":\"%s\",\"member\":\"%s\",\"rule\":", c->n.s, member);
	str_puts(&out, *where ? "\"" : "null");
	if (*where) {
		str_add_json(&out, where, strlen(where));
		str_addc(&out, '"');
	}
	str_puts(&out, ",\"text\":\"");
	str_add_json(&out, text, strlen(text));
	printf("%s\"}\n", out.buf);
}

static void explain_keep(const struct call *c, const struct rule *rule)
{
	tell(c, "keep", rule->where, rule->nkeep ? "a tag stays if one of these entries keeps it; the others go" : "every tag goes");
	for (size_t i = 0; i < rule->nkeep; i++) {
		cleanup_str struct str where = STR_INIT, text = STR_INIT;

		retain_where(rule, &rule->keep[i], &where);
		retain_say_entry(&rule->keep[i], &text);
		tell(c, "keep", where.buf, text.buf);
	}
}

static void add_duration(struct str *out, uint64_t seconds)
{
	if (seconds && seconds % 86400 == 0)
		str_addf(out, "%" PRIu64 "d", seconds / 86400);
	else
		str_addf(out, "%" PRIu64 "s", seconds);
}

static void add_immutable(struct str *out, const struct rule *rule)
{
	if (!rule->immutable.count)
		str_puts(out, "no tag is immutable");
	for (size_t i = 0; i < rule->immutable.count; i++)
		str_addf(out, "%s\"%s\"", i ? ", " : "tags ", rule->immutable.v[i]);
	if (rule->immutable.count)
		str_puts(out, " can be neither moved nor deleted");
}

/* The repository that is asked about need not be there. */
static int add_tags(struct registry *r, const struct name *n, uint64_t max, struct str *out, struct err *e)
{
	uint64_t have;

	if (!max) {
		str_puts(out, "any number of tags");
		return 0;
	}
	if (tag_count_all(r->st, n, &have, e) < 0)
		return -1;
	str_addf(out, "at most %" PRIu64 " tags; it has %" PRIu64 ", and room for %" PRIu64, max, have, have < max ? max - have : 0);
	return 0;
}

static void add_size(struct str *out, const char *what, uint64_t size)
{
	if (size)
		str_addf(out, "%s has at most %" PRIu64 " bytes", what, size);
	else
		str_addf(out, "%s has any size", what);
}

static int add_member(struct registry *r, const struct call *c, const struct rule *rule, enum rule_member what, struct str *out, struct err *e)
{
	static const char *const sparse[] = {
		[SPARSE_REFUSE] = "a manifest may name nothing that is not in the repository", [SPARSE_INDEX] = "an index may lack its children",
		[SPARSE_ALL] = "a manifest may name anything",
	};

	switch (what) {
	case RULE_UNTAGGED:
		str_puts(out, "a manifest without a tag that nothing keeps goes after ");
		add_duration(out, rule->untagged);
		break;
	case RULE_IMMUTABLE:
		add_immutable(out, rule);
		break;
	case RULE_MAX_TAGS:
		return add_tags(r, &c->n, rule->max_tags, out, e);
	case RULE_MAX_SIZE:
		add_size(out, "a blob", rule->max_size);
		break;
	case RULE_MAX_MANIFEST:
		add_size(out, "a manifest", rules_max_manifest(r->cfg, &c->n));
		break;
	case RULE_SPARSE:
		str_puts(out, sparse[rule->sparse]);
		break;
	case RULE_DELETE:
		str_puts(out, rule->delete_enabled ? "clients may delete" : "no client may delete anything");
		break;
	case RULE_READONLY:
		str_puts(out, rules_readonly(r->cfg, &c->n) ? "nothing can be written" : "it can be written to");
		break;
	case RULE_KEEP:
	case RULE_QUOTA:
	case RULE_MEMBERS:
		break;
	}
	return 0;
}

static int explain_quota(struct registry *r, const struct call *c, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	size_t len;
	const struct rule *rule = rules_group(r->cfg, &c->n, &len);

	uint64_t used = 0;

	if (!rule)
		return 0;
	if (reg_quota_used(r, &c->n, &used, e) < 0)
		return -1;
	if (len)
		str_addf(&text, "%.*s and what is below it", (int)len, c->n.s);
	else
		str_puts(&text, "the whole registry");
	str_addf(&text, " may have %" PRIu64 " bytes; %" PRIu64 " are used, and %" PRIu64 " left", rule->quota, used,
		 used < rule->quota ? rule->quota - used : 0);
	tell(c, "quota", rule->where, text.buf);
	return 0;
}

static int explain_rules(struct registry *r, const struct call *c, struct err *e)
{
	const struct rule *keep = rules_find(r->cfg, &c->n, RULE_KEEP);
	const struct config_upstream *mirrored = upstream_of(r->cfg, &c->n, NULL);

	if (mirrored)
		tell(c, "mirror", mirrored->where, "it is a mirror: its tags and its space are cache.idle's and cache.max_size's business");
	else if (keep)
		explain_keep(c, keep);
	else
		tell(c, "keep", "", "no rule says it, so no tag goes");
	for (unsigned what = RULE_UNTAGGED; what < RULE_MEMBERS; what++) {
		cleanup_str struct str text = STR_INIT;
		const struct rule *rule = what == RULE_QUOTA ? NULL : rules_find(r->cfg, &c->n, (enum rule_member)what);

		if (what == RULE_QUOTA && explain_quota(r, c, e) < 0)
			return -1;
		if (!rule)
			continue;
		if (add_member(r, c, rule, (enum rule_member)what, &text, e) < 0)
			return -1;
		tell(c, rules_members[what], rule->where, text.buf);
	}
	return 0;
}

static void add_time(struct str *out, const char *before, int64_t when, const char *after)
{
	char text[TIME_RFC3339_MAX];

	str_addf(out, "%s%s%s", before, time_text(text, when), after);
}

static void tell_tag(const struct call *c, const struct digest *d, const struct rule *immutable, const struct retain_answer *a)
{
	cleanup_str struct str out = STR_INIT;

	str_addf(&out, "%s:%s is %s", c->n.s, c->t.s, d->text);
	add_time(&out, ", pushed ", a->pushed, "");
	if (a->pulled == RETAIN_NEVER)
		str_puts(&out, ", no pull is known\n");
	else
		add_time(&out, ", last pulled ", a->pulled, "\n");
	if (immutable)
		str_addf(&out, "  it can be neither moved nor deleted: %s makes it immutable\n", immutable->where);
	else
		str_puts(&out, "  it can be moved and deleted: no rule makes it immutable\n");
	str_addf(&out, "  %s\n", a->text.buf);
	if (a->until)
		add_time(&out, "  until ", a->until, ", if nothing is pushed or pulled until then\n");
	if (a->from && !a->kept)
		add_time(&out, "  the rule is new: it deletes nothing before ", a->from, "\n");
	fputs(out.buf, stdout);
}

static void tell_tag_json(const struct call *c, const struct digest *d, const struct rule *immutable, const struct retain_answer *a)
{
	cleanup_str struct str out = STR_INIT;

	str_addf(&out, "{\"kind\":\"tag\",\"repository\":\"%s\",\"tag\":\"%s\",\"digest\":\"%s\",\"immutable\":%s,\"stays\":%s",
		 c->n.s, c->t.s, d->text, immutable ? "true" : "false", a->kept ? "true" : "false");
	add_time(&out, ",\"pushed\":\"", a->pushed, "\"");
	if (a->pulled != RETAIN_NEVER)
		add_time(&out, ",\"pulled\":\"", a->pulled, "\"");
	if (a->until)
		add_time(&out, ",\"until\":\"", a->until, "\"");
	if (a->from)
		add_time(&out, ",\"from\":\"", a->from, "\"");
	str_puts(&out, ",\"why\":\"");
	str_add_json(&out, a->text.buf, a->text.len);
	printf("%s\"}\n", out.buf);
}

/* 1, 0 if there is no such tag, -1 with *e. */
static int explain_tag(struct registry *r, const struct call *c, struct err *e)
{
	cleanup_retain_answer struct retain_answer a = RETAIN_ANSWER_INIT;
	const struct rule *immutable = rules_immutable(r->cfg, &c->n, c->t.s);
	struct digest d;
	int found = tag_read(r->st, &c->n, &c->t, &d, e);

	if (found == 1)
		found = retain_explain(r, &c->n, &c->t, &a, e);
	if (found == 1)
		(c->json ? tell_tag_json : tell_tag)(c, &d, immutable, &a);
	if (found == 0)
		fprintf(stderr, "berth: %s has no tag %s%s\n", c->n.s, c->t.s, immutable ? "; one of this name would be immutable" : "");
	return found;
}

static int explain(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;
	int there = repo_exists(r->st, &c->n, e), found = 1;

	if (there < 0 || (c->has_tag && (found = explain_tag(r, c, e)) < 0))
		return -1;
	if (!c->json)
		printf("rules for %s%s:\n", c->n.s, there ? "" : ", which is not there");
	return explain_rules(r, c, e) < 0 ? -1 : found ? CMD_DONE : CMD_FOUND;
}

int cmd_rules_explain(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	struct call c = { .json = false };
	const char *text, *colon;
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j') /* getopt has printed the error */
			return RULES_USAGE;
		c.json = true;
	}
	if (argc != optind + 1)
		return RULES_USAGE;
	text = argv[optind];
	colon = strchrnul(text, ':');
	c.has_tag = *colon;
	if (name_parse(&c.n, text, (size_t)(colon - text)) < 0)
		return cmd_invalid(text, "repository name, or name and tag");
	if (c.has_tag && tag_parse(&c.t, colon + 1, strlen(colon + 1)) < 0)
		return cmd_invalid(colon + 1, "tag");
	return cmd_on_store(o, cmd_store_to_read, explain, &c);
}
