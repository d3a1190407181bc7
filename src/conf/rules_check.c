/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules_check: what is valid and cannot be meant: rules that never apply, and rules that contradict each other.
 *
 * Owns nothing. Says only what follows from the patterns for certain: two patterns that merely share some repositories are nobody's
 * mistake. A part of `rules`.
 */
#include "conf/rules.h"

#include <inttypes.h>
#include <string.h>

#include "base/glob.h"
#include "base/pattern.h"
#include "conf/config.h"
#include "conf/rules_conf.h"

static struct str *line_of(struct str *warn, const char *where)
{
	str_addf(warn, "%s%s: ", warn->len ? "\n" : "", where);
	return warn;
}

/* Lines of one file are told by their number. */
static const char *line_number(const struct rule *r)
{
	return strrchr(r->where, ':') + 1;
}

/* The file of a rule with the line of an entry. */
static struct str *entry_line(struct str *warn, const struct rule *r, const struct rule_keep *k)
{
	str_addf(warn, "%s%.*s:%u: ", warn->len ? "\n" : "", (int)(strrchr(r->where, ':') - r->where), r->where, k->line);
	return warn;
}

/* Whether the quota of `first` counts wherever that of `second` would: it groups a leading part of all that the other one groups. */
static bool groups_before(const struct rule *first, const struct rule *second)
{
	char outer[NAME_MAX_LEN + 1], inner[NAME_MAX_LEN + 1];
	size_t len;

	rules_group_pattern(first, outer);
	rules_group_pattern(second, inner);
	if (pattern_is_all(outer))
		return true;
	for (len = strlen(inner); len; len = strrchr(inner, '/') ? (size_t)(strrchr(inner, '/') - inner) : 0) {
		inner[len] = '\0';
		if (pattern_covers(outer, inner))
			return true;
	}
	return false;
}

static const struct rule *counts_before(const struct config *c, size_t i, unsigned what)
{
	for (size_t j = 0; j < i; j++)
		if (RULE_SAYS(&c->rules[j], what) && (what == RULE_QUOTA ? groups_before(&c->rules[j], &c->rules[i]) :
						      pattern_covers(c->rules[j].repo, c->rules[i].repo)))
			return &c->rules[j];
	return NULL;
}

/* What a rule says and earlier ones have said of all its repositories. Returns which members are left. */
static unsigned check_order(const struct config *c, size_t i, struct str *warn)
{
	const struct rule *r = &c->rules[i];
	unsigned left = r->says;

	for (unsigned what = 0; what < RULE_MEMBERS; what++) {
		const struct rule *before = RULE_SAYS(r, what) ? counts_before(c, i, what) : NULL;

		if (!before)
			continue;
		left &= ~(1u << what);
		str_addf(line_of(warn, r->where), "\"%s\" never counts: for all that \"%s\" matches, the rule on line %s says it first",
			 rules_members[what], r->repo, line_number(before));
	}
	return left;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether two entries have the same conditions beside `newest`. */
static bool same_but_newest(const struct rule_keep *a, const struct rule_keep *b)
{
	return (a->has | 1u << KEEP_NEWEST) == (b->has | 1u << KEEP_NEWEST) && same_text(a->tag, b->tag) && a->pushed == b->pushed &&
	       a->pulled == b->pulled && same_text(a->platform, b->platform) && a->is_signed == b->is_signed;
}

/* Whether each tag that the entry `narrow` keeps is kept by `wide` as well. */
static bool keeps_more(const struct rule_keep *wide, const struct rule_keep *narrow)
{
	bool tag = KEEP_IS(wide, KEEP_TAG) && !glob_is_all(wide->tag);

	if (KEEP_IS(wide, KEEP_NEWEST))         /* the newest among those that match the other conditions */
		return KEEP_IS(narrow, KEEP_NEWEST) && wide->newest >= narrow->newest && same_but_newest(wide, narrow);
	if (wide->has & ~(narrow->has | (tag ? 0 : 1u << KEEP_TAG)))
		return false;
	return (!tag || glob_covers(wide->tag, narrow->tag)) && wide->pushed >= (KEEP_IS(wide, KEEP_PUSHED) ? narrow->pushed : 0) &&
	       wide->pulled >= (KEEP_IS(wide, KEEP_PULLED) ? narrow->pulled : 0) &&
	       (!KEEP_IS(wide, KEEP_PLATFORM) || same_text(wide->platform, narrow->platform)) &&
	       (!KEEP_IS(wide, KEEP_SIGNED) || wide->is_signed == narrow->is_signed);
}

/* Entries of one "keep" that add nothing to another one. */
static void check_entries(const struct rule *r, struct str *warn)
{
	for (size_t i = 0; i < r->nkeep; i++)
		for (size_t j = 0; j < r->nkeep; j++) {
			const struct rule_keep *narrow = &r->keep[i], *wide = &r->keep[j];

			/* Of two that keep the same the second is too many. */
			if (i == j || !keeps_more(wide, narrow) || (i < j && keeps_more(narrow, wide)))
				continue;
			str_addf(entry_line(warn, r, narrow), "this entry of \"keep\" keeps no tag that the one on line %u does not keep anyway",
				 wide->line);
			break;
		}
}

/* The rule that says this of all repositories of r, or of some that no earlier rule takes away; NULL: none for certain. */
static const struct rule *beside(const struct config *c, const struct rule *r, unsigned what)
{
	for (size_t i = 0; i < c->nrules; i++)
		if (RULE_SAYS(&c->rules[i], what) && (pattern_covers(c->rules[i].repo, r->repo) || pattern_covers(r->repo, c->rules[i].repo)))
			return &c->rules[i];
	return NULL;
}

/* Whether an entry keeps all tags of this pattern, whatever they are and however old. */
static bool keeps_pattern(const struct rule *r, const char *pattern)
{
	for (size_t i = 0; i < r->nkeep; i++)
		if (r->keep[i].has == 1u << KEEP_TAG && glob_covers(r->keep[i].tag, pattern))
			return true;
	return false;
}

/* Immutable tags never go: a "keep" that does not say so too is not what happens. */
static void check_immutable(const struct config *c, const struct rule *r, struct str *warn)
{
	const struct rule *other = beside(c, r, RULE_IMMUTABLE);

	for (size_t i = 0; other && i < other->immutable.count; i++) {
		const char *pattern = other->immutable.v[i];

		if (keeps_pattern(r, pattern))
			continue;
		str_addf(line_of(warn, r->where), "\"keep\" lets tags \"%s\" go, but by the rule on line %s they are immutable and stay; "
			 "add { tag = \"%s\"; } to \"keep\"", pattern, line_number(other), pattern);
	}
}

/* With fewer tags than `newest` asks for, none ever goes: pushes are refused instead. */
static void check_max_tags(const struct config *c, const struct rule *r, struct str *warn)
{
	const struct rule *other = beside(c, r, RULE_MAX_TAGS);

	for (size_t i = 0; other && other->max_tags && i < r->nkeep; i++) {
		const struct rule_keep *k = &r->keep[i];

		if ((k->has & ~(1u << KEEP_TAG)) == 1u << KEEP_NEWEST && k->newest >= other->max_tags)
			str_addf(entry_line(warn, r, k), "\"newest\" is %" PRIu64 ", but by the rule on line %s a repository has at most %" PRIu64
				 " tags: none goes, and pushes are refused", k->newest, line_number(other), other->max_tags);
	}
}

static void check_readonly(const struct config *c, const struct rule *r, unsigned left, struct str *warn)
{
	const struct rule *other = beside(c, r, RULE_READONLY);

	for (unsigned what = RULE_KEEP; what <= RULE_UNTAGGED; what++)
		if (left & 1u << what && other && other->readonly && pattern_covers(other->repo, r->repo))
			str_addf(line_of(warn, r->where), "\"%s\" deletes nothing: by the rule on line %s the repositories are read-only",
				 rules_members[what], line_number(other));
}

static void check_rule(const struct config *c, const struct rule *r, unsigned left, struct str *warn)
{
	if (left & 1u << RULE_KEEP) {
		check_entries(r, warn);
		check_immutable(c, r, warn);
		check_max_tags(c, r, warn);
	}
	check_readonly(c, r, left, warn);
	if (left & 1u << RULE_READONLY && !r->readonly && c->readonly)
		str_puts(line_of(warn, r->where), "\"readonly\" is false, but the whole registry is read-only, which no rule changes");
	if (left & 1u << RULE_MAX_MANIFEST && r->max_manifest > c->max_manifest)
		str_addf(line_of(warn, r->where), "\"max_manifest\" is more than \"manifests.max_size\", %" PRIu64 " bytes, which is the limit then",
			 c->max_manifest);
}

void rules_check(const struct config *c, struct str *warn)
{
	for (size_t i = 0; i < c->nrules; i++)
		check_rule(c, &c->rules[i], check_order(c, i, warn), warn);
}
