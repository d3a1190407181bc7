/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain: the decision which tags stay.
 *
 * Owns the set until it is released. Invariant: the result depends on the set, the rule and the times alone. Knows no disk.
 */
#include "care/retain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/pulled.h"

#define AHEAD 1         /* seconds that a push may be ahead of the clock */

void retain_set_release(struct retain_set *s)
{
	free(s->tags);
	names_release(&s->names);
	*s = (struct retain_set)RETAIN_SET_INIT;
}

struct retain_tag *retain_add(struct retain_set *s, const char *name)
{
	names_add(&s->names, name, strlen(name));
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->tags = xreallocarray(s->tags, s->cap, sizeof(*s->tags));
	}
	s->tags[s->count] = (struct retain_tag){ .name = s->names.v[s->names.count - 1], .pulled = RETAIN_NEVER, .since = RETAIN_NEVER };
	return &s->tags[s->count++];
}

bool retain_spoken_digest(const char *tag, struct digest *d)
{
	enum digest_alg alg = strncmp(tag, "sha512-", 7) == 0 ? DIGEST_SHA512 : DIGEST_SHA256;
	char hex[DIGEST_HEX_MAX];

	memset(hex, '0', sizeof(hex));
	memcpy(hex, tag + strlen("sha256-"), 64);
	return digest_of_hex(d, alg, hex, digest_hex_len(alg)) == 0;
}

void retain_drop(struct retain_set *s)
{
	s->count--;
	free(s->names.v[--s->names.count]);
}

bool retain_stays(const struct retain_tag *t)
{
	return t->why != RETAIN_NO_ENTRY && t->why != RETAIN_ORPHAN;
}

/* Durations are bounded by the configuration, and times come from file systems. */
static bool within(int64_t now, int64_t when, uint64_t limit)
{
	return when > now || (uint64_t)(now - when) <= limit;
}

static int64_t last_pull(const struct retain_tag *t)
{
	int64_t noted = t->pulled == RETAIN_NEVER ? RETAIN_NEVER : t->pulled + PULLED_HOUR;

	return noted > t->since ? noted : t->since;
}

bool retain_holds(const struct rule_keep *k, const struct retain_tag *t, int64_t now)
{
	return (!KEEP_IS(k, KEEP_TAG) || rules_tag_matches(k->tag, t->name)) &&
	       (!KEEP_IS(k, KEEP_PUSHED) || within(now, t->pushed / RETAIN_USEC, k->pushed)) &&
	       (!KEEP_IS(k, KEEP_PULLED) || (last_pull(t) != RETAIN_NEVER && within(now, last_pull(t), k->pulled)));
}

bool retain_asks(const struct rule *rule, enum rule_condition what)
{
	for (size_t i = 0; i < rule->nkeep; i++)
		if (KEEP_IS(&rule->keep[i], what))
			return true;
	return false;
}

bool retain_reads(const struct rule_keep *k)
{
	return KEEP_IS(k, KEEP_PLATFORM) || KEEP_IS(k, KEEP_SIGNED);
}

/* The later push first; of the same time the name that is greater in byte order. */
static int newest_first(const void *a, const void *b)
{
	const struct retain_tag *x = *(struct retain_tag *const *)a, *y = *(struct retain_tag *const *)b;

	return x->pushed != y->pushed ? (x->pushed > y->pushed ? -1 : 1) : strcmp(y->name, x->name);
}

/*
 * A tag of digest scheme whose manifest is not there. Signatures may have a repository of their own, so an entry that names tags is meant for
 * them, too; the conditions that need other tags or a manifest are not asked of them.
 */
static void decide_spoken(struct retain_tag *t, const struct rule *rule, int64_t now)
{
	for (size_t i = 0; i < rule->nkeep; i++)
		if (KEEP_IS(&rule->keep[i], KEEP_TAG) && retain_holds(&rule->keep[i], t, now))
			t->keeps |= UINT64_C(1) << i;
}

/* Which tags one entry keeps; found has room for all of them. */
static void decide_entry(struct retain_set *s, const struct rule *rule, size_t entry, int64_t now, struct retain_tag **found)
{
	const struct rule_keep *k = &rule->keep[entry];
	uint64_t bit = UINT64_C(1) << entry;
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct retain_tag *t = &s->tags[i];

		if (!t->of_digest && retain_holds(k, t, now) && (!retain_reads(k) || (t->facts & bit)))
			found[count++] = t;
	}
	if (KEEP_IS(k, KEEP_NEWEST) && count > k->newest) {
		qsort(found, count, sizeof(struct retain_tag *), newest_first);
		count = k->newest;
		for (size_t i = 0; i < count; i++)
			found[i]->witness = true;
	}
	for (size_t i = 0; i < count; i++)
		found[i]->keeps |= bit;
}

static bool clock_is_behind(const struct retain_set *s, const struct retain_times *at)
{
	if (at->clock < at->last || at->clock < at->now)
		return true;
	for (size_t i = 0; i < s->count; i++)
		if (s->tags[i].pushed / RETAIN_USEC > at->clock + AHEAD)
			return true;
	return false;
}

static bool within_grace(const struct retain_tag *t, const struct retain_times *at)
{
	int64_t pushed = t->pushed / RETAIN_USEC;

	return pushed > at->now || (uint64_t)(at->now - pushed) < at->grace;
}

static enum retain_why why(struct retain_tag *t, const struct retain_times *at)
{
	if (t->of_digest && t->spoken_of)
		return RETAIN_SPEAKS;
	if (t->immutable && !t->of_digest)
		return RETAIN_IMMUTABLE;
	if (t->keeps) {
		t->entry = (size_t)__builtin_ctzll(t->keeps);
		return RETAIN_ENTRY;
	}
	if (t->of_digest)
		return within_grace(t, at) ? RETAIN_YOUNG : RETAIN_ORPHAN;
	return t->unreadable ? RETAIN_UNREADABLE : RETAIN_NO_ENTRY;
}

void retain_decide(struct retain_set *s, const struct rule *rule, const struct retain_times *at)
{
	cleanup_free struct retain_tag **found = xcalloc(s->count + 1, sizeof(struct retain_tag *));
	bool behind = clock_is_behind(s, at);

	for (size_t i = 0; i < s->count; i++) {
		s->tags[i].keeps = s->tags[i].entry = 0;
		s->tags[i].witness = false;
		if (s->tags[i].of_digest && !s->tags[i].spoken_of)
			decide_spoken(&s->tags[i], rule, at->now);
	}
	for (size_t i = 0; i < rule->nkeep; i++)
		decide_entry(s, rule, i, at->now, found);
	for (size_t i = 0; i < s->count; i++)
		s->tags[i].why = behind ? RETAIN_CLOCK : why(&s->tags[i], at);
}

/* When time ends what an entry says of the tag; INT64_MAX: it does not. */
static int64_t ends(const struct retain_tag *t, const struct rule_keep *k)
{
	int64_t pushed = KEEP_IS(k, KEEP_PUSHED) ? t->pushed / RETAIN_USEC + (int64_t)k->pushed : INT64_MAX;
	int64_t pulled = KEEP_IS(k, KEEP_PULLED) ? last_pull(t) + (int64_t)k->pulled : INT64_MAX;

	return pushed < pulled ? pushed : pulled;
}

int64_t retain_until(const struct retain_tag *t, const struct rule *rule)
{
	int64_t last = 0;

	if (t->why != RETAIN_ENTRY || t->unreadable)
		return 0;
	for (size_t i = 0; i < rule->nkeep; i++) {
		int64_t end = t->keeps >> i & 1 ? ends(t, &rule->keep[i]) : 0;

		last = end > last ? end : last;
	}
	return last == INT64_MAX ? 0 : last;
}
