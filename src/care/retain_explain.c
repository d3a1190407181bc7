/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_explain: the answer for one tag.
 *
 * Owns nothing.
 */
#include "care/retain_explain.h"

#include <string.h>

#include "care/retain_read.h"
#include "care/retain_state.h"
#include "store/tag.h"

void retain_answer_release(struct retain_answer *a)
{
	str_release(&a->text);
}

/* Where no rule lets a tag go nothing has to be read but the tag itself. */
static int without_rule(struct registry *r, const struct name *n, const struct tag *t, struct retain_answer *out, struct err *e)
{
	static const struct rule none = { 0 };
	struct retain_reading rd = { .r = r, .n = n, .rule = &none, .since = RETAIN_NEVER, .pulls = true };
	struct retain_tag one = { .name = t->s };
	int found = retain_look(&rd, t, &one, e);

	out->kept = true;
	out->pushed = one.pushed / RETAIN_USEC;
	out->pulled = one.pulled;
	if (!out->rule)
		str_puts(&out->text, "kept because no rule says what to keep");
	else if (r->cfg->readonly)
		str_puts(&out->text, "kept because the registry is read-only");
	else
		str_addf(&out->text, "kept because the repository is read-only (%s)", rules_find(r->cfg, n, RULE_READONLY)->where);
	return found;
}

static void answer(const struct retain_tag *t, const struct rule *rule, int64_t now, struct retain_answer *out)
{
	out->kept = retain_stays(t);
	out->entry = t->why == RETAIN_ENTRY ? t->entry : SIZE_MAX;
	out->until = retain_until(t, rule);
	out->pushed = t->pushed / RETAIN_USEC;
	out->pulled = t->pulled;
	retain_say(t, rule, now, &out->text);
}

static int decide(struct registry *r, const struct name *n, const struct tag *t, const struct retain_state *s, struct retain_answer *out,
		  struct err *e)
{
	cleanup_retain_set struct retain_set set = RETAIN_SET_INIT;
	struct retain_reading rd = { .r = r, .n = n, .rule = out->rule, .now = s->now, .since = s->since, .pulls = true };
	struct retain_times at = { .now = s->now, .last = s->last.when, .grace = r->cfg->gc_grace };

	if (retain_read(&rd, &set, e) < 0 || retain_state_clock(s, &at.clock, e) < 0)
		return -1;
	retain_decide(&set, out->rule, &at);
	for (size_t i = 0; i < set.count; i++)
		if (strcmp(set.tags[i].name, t->s) == 0) {
			answer(&set.tags[i], out->rule, s->now, out);
			return 1;
		}
	return 0;
}

int retain_explain(struct registry *r, const struct name *n, const struct tag *t, struct retain_answer *out, struct err *e)
{
	struct retain_state s = RETAIN_STATE_INIT;
	int rc;

	*out = (struct retain_answer)RETAIN_ANSWER_INIT;
	out->entry = SIZE_MAX;
	out->pulled = RETAIN_NEVER;
	out->rule = rules_find(r->cfg, n, RULE_KEEP);
	if (!out->rule || rules_readonly(r->cfg, n))
		return without_rule(r, n, t, out, e);
	if (retain_state_begin(&s, r->st, r->cfg, false, false, e) < 0)
		return -1;
	out->from = retain_state_from(&s, out->rule, RULE_KEEP);
	rc = decide(r, n, t, &s, out, e);
	retain_state_release(&s);
	return rc;
}
