/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_say: a decision in words.
 *
 * Owns nothing. A part of `retain`.
 */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "care/retain.h"
#include "store/pulled.h"

/* In the largest unit that divides it: "30d", "90s". */
static void say_duration(uint64_t seconds, struct str *out)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (seconds && seconds % units[i].seconds == 0) {
			str_addf(out, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
			return;
		}
	str_addf(out, "%" PRIu64 "s", seconds);
}

static void say_time(int64_t when, struct str *out)
{
	char text[TIME_RFC3339_MAX];

	str_puts(out, time_text(text, when));
}

static void say_condition(const struct rule_keep *k, enum rule_condition what, struct str *out)
{
	switch (what) {
	case KEEP_TAG:
		str_addf(out, "tag \"%s\"", k->tag);
		break;
	case KEEP_NEWEST:
		str_addf(out, "newest %" PRIu64, k->newest);
		break;
	case KEEP_PUSHED:
		str_puts(out, "pushed within ");
		say_duration(k->pushed, out);
		break;
	case KEEP_PULLED:
		str_puts(out, "pulled within ");
		say_duration(k->pulled, out);
		break;
	case KEEP_PLATFORM:
		str_addf(out, "platform %s", k->platform);
		break;
	case KEEP_SIGNED:
		str_puts(out, k->is_signed ? "signed" : "not signed");
		break;
	case KEEP_CONDITIONS:
		break;
	}
}

void retain_say_entry(const struct rule_keep *k, struct str *out)
{
	const char *before = "";

	for (unsigned what = 0; what < KEEP_CONDITIONS; what++) {
		if (!KEEP_IS(k, what))
			continue;
		str_puts(out, before);
		say_condition(k, (enum rule_condition)what, out);
		before = ", ";
	}
}

void retain_where(const struct rule *rule, const struct rule_keep *k, struct str *out)
{
	const char *colon = strrchr(rule->where, ':');

	str_add(out, rule->where, colon ? (size_t)(colon - rule->where) : strlen(rule->where));
	str_addf(out, ":%u", k->line);
}

/* The first condition of an entry that does not hold, with what is the case instead. */
static void say_failing(const struct rule_keep *k, const struct retain_tag *t, int64_t now, bool fact, struct str *out)
{
	struct rule_keep one = *k;

	if (KEEP_IS(k, KEEP_TAG) && !rules_tag_matches(k->tag, t->name)) {
		str_addf(out, "it does not match tag \"%s\"", k->tag);
		return;
	}
	one.has = k->has & 1u << KEEP_PUSHED;
	if (!retain_holds(&one, t, now)) {
		str_puts(out, "it was not pushed within ");
		say_duration(k->pushed, out);
		return;
	}
	one.has = k->has & 1u << KEEP_PULLED;
	if (!retain_holds(&one, t, now)) {
		str_puts(out, "it was not pulled within ");
		say_duration(k->pulled, out);
		return;
	}
	if (retain_reads(k) && !fact) {
		one.has = k->has & (1u << KEEP_PLATFORM | 1u << KEEP_SIGNED);
		str_puts(out, "it is not: ");
		retain_say_entry(&one, out);
		return;
	}
	one.has = k->has & ~(1u << KEEP_NEWEST);
	str_addf(out, "%" PRIu64 " are newer", k->newest);
	if (one.has) {
		str_puts(out, " of ");
		retain_say_entry(&one, out);
	}
}

static void say_goes(const struct retain_tag *t, const struct rule *rule, int64_t now, struct str *out)
{
	str_addf(out, "goes because no entry of keep keeps it (%s)", rule->where);
	for (size_t i = 0; i < rule->nkeep; i++) {
		str_puts(out, i ? "; " : ": ");
		say_failing(&rule->keep[i], t, now, t->facts >> i & 1, out);
	}
	str_puts(out, "; pushed ");
	say_time(t->pushed / RETAIN_USEC, out);
	str_puts(out, ", pulled ");
	if (t->pulled == RETAIN_NEVER)
		str_puts(out, "never");
	else
		say_time(t->pulled / PULLED_HOUR * PULLED_HOUR, out);
}

void retain_say(const struct retain_tag *t, const struct rule *rule, int64_t now, struct str *out)
{
	switch (t->why) {
	case RETAIN_NO_ENTRY:
		say_goes(t, rule, now, out);
		return;
	case RETAIN_ORPHAN:
		str_addf(out, "goes because the manifest that it speaks of is not in the repository (%s)", rule->where);
		return;
	case RETAIN_ENTRY:
		str_puts(out, "kept by ");
		retain_where(rule, &rule->keep[t->entry], out);
		str_puts(out, ": ");
		retain_say_entry(&rule->keep[t->entry], out);
		return;
	case RETAIN_IMMUTABLE:
		str_puts(out, "kept because it is immutable");
		return;
	case RETAIN_SPEAKS:
		str_puts(out, "kept because the manifest that it speaks of is in the repository");
		return;
	case RETAIN_YOUNG:
		str_puts(out, "kept because it was pushed within the grace period, and the manifest that it speaks of may still come");
		return;
	case RETAIN_UNREADABLE:
		str_addf(out, "kept because its manifest or configuration can't be read, and %s asks what is in there", rule->where);
		return;
	case RETAIN_CLOCK:
		str_puts(out, "kept because the clock is behind the last run of the rules, or behind a push of the repository");
		return;
	}
}
