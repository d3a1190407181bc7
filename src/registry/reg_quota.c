/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_quota: groups and limits by the rules of a configuration, and what is said at 90 %.
 *
 * Owns the form of the rules in the store: for each rule with a quota a line, the pattern, a space, and the limit in bytes; 0: none. Before
 * them come lines without a limit for the mirrors, which no quota counts.
 */
#include "registry/reg_quota.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "conf/rules.h"
#include "store/journal.h"
#include "store/quota.h"

static void rules_text(const void *arg, struct str *out)
{
	const struct config *c = arg;
	bool any = false;
	size_t i;

	for (i = 0; i < c->nupstreams; i++)
		str_addf(out, "%s%s** 0\n", c->upstreams[i].name, c->upstreams[i].whole ? "" : "/");
	for (i = 0; i < c->nrules; i++) {
		const struct rule *rule = &c->rules[i];

		if (!(rule->says & 1u << RULE_QUOTA))
			continue;
		str_addf(out, "%s %" PRIu64 "\n", rule->repo, rule->quota);
		any |= rule->quota != 0;
	}
	if (!any)
		str_reset(out);
}

static bool group(const void *arg, const struct name *n, size_t *len, uint64_t *limit)
{
	const struct rule *rule = rules_group(arg, n, len);

	*limit = rule ? rule->quota : 0;
	return rule != NULL;
}

/* Rules that another process wrote. A line that is none is skipped: its group then has no table, and nobody believes one. */
static bool group_in(const char *text, const struct name *n, size_t *len, uint64_t *limit)
{
	cleanup_free struct rule *rules = xcalloc(RULES_MAX, sizeof(*rules));
	cleanup_free char *copy = xstrdup(text);
	struct config *c = xcalloc(1, sizeof(*c));
	char *line = copy, *end;
	bool found;

	for (; (end = strchr(line, '\n')) && c->nrules < RULES_MAX; line = end + 1) {
		char *blank;
		uint64_t quota;

		*end = '\0';
		blank = strrchr(line, ' ');
		if (!blank || str_parse_u64(blank + 1, (size_t)(end - blank - 1), &quota) < 0)
			continue;
		*blank = '\0';
		if (!pattern_fault(line))
			rules[c->nrules++] = (struct rule){ .repo = line, .says = 1u << RULE_QUOTA, .quota = quota };
	}
	c->rules = rules;
	found = group(c, n, len, limit);
	mem_cleanup_free(&c);
	return found;
}

/* Which rules have a limit matters, as a rule without one excepts repositories. */
static bool same_groups(const char *a, const char *b)
{
	while (*a && *b) {
		size_t one = strcspn(a, " \n"), other = strcspn(b, " \n"), end_a = strcspn(a, "\n"), end_b = strcspn(b, "\n");

		if (one != other || memcmp(a, b, one) != 0 || (strncmp(a + one, " 0\n", 3) == 0) != (strncmp(b + one, " 0\n", 3) == 0))
			return false;
		a += end_a + (a[end_a] != '\0');
		b += end_b + (b[end_b] != '\0');
	}
	return !*a && !*b;
}

const struct quota_by reg_quota_by = { rules_text, group, group_in, same_groups };

int reg_quota_fits(struct registry *r, const struct name *n, const struct digest *d, uint64_t size, struct err *e)
{
	return quota_fits(r->st, n, d, size, e);
}

int reg_quota_room(struct registry *r, const struct name *n, const struct digest *v, size_t count, struct err *e)
{
	return quota_fits_all(r->st, n, v, count, e);
}

int reg_quota_used(struct registry *r, const struct name *n, uint64_t *used, struct err *e)
{
	uint64_t limit;

	return quota_used(r->st, n, used, &limit, e);
}

void reg_quota_tell(struct registry *r, const struct name *n)
{
	uint64_t used, limit;
	const char *text;

	if (!quota_crossed(r->st, &text, &used, &limit))
		return;
	log_say(LOG_WARN, "quota", "%s has used %llu of %llu bytes, %u %% or more: `berth quota list` says how much of that can be collected",
		*text ? text : "the registry", (unsigned long long)used, (unsigned long long)limit, QUOTA_WARN);
	journal_note(r->st, &(struct event){ .action = EVENT_QUOTA, .repository = n, .group = text, .has_size = true, .size = used,
					     .quota = limit, .by = r->by });
}
