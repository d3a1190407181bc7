/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_read: the tags of a repository, and the times of each.
 *
 * Owns nothing.
 */
#include "care/retain_read.h"

#include "base/digestset.h"

#include "store/pulled.h"
#include "store/revision.h"
#include "store/tag.h"
#include "store/undo.h"

/* The later of the pulls by tag and by digest. */
static int read_pulled(const struct retain_reading *rd, const struct tag *t, struct retain_tag *out, struct err *e)
{
	struct store *st = rd->r->st;
	int64_t by_tag, by_digest;
	int tag = pulled_tag(st, rd->n, t, &by_tag, e), digest = tag < 0 ? -1 : pulled_digest(st, rd->n, &out->digest, &by_digest, e);

	if (digest < 0)
		return -1;
	if (tag)
		out->pulled = by_tag;
	if (digest && by_digest > out->pulled)
		out->pulled = by_digest;
	return 0;
}

static int read_times(const struct retain_reading *rd, const struct tag *t, struct retain_tag *out, struct err *e)
{
	uint64_t pushed;
	int found = tag_pushed(rd->r->st, rd->n, t, true, &pushed, e);

	out->pulled = RETAIN_NEVER;
	out->since = rd->since;
	if (found <= 0)
		return found;
	out->pushed = pushed > INT64_MAX ? INT64_MAX : (int64_t)pushed;
	return (rd->pulls || retain_asks(rd->rule, KEEP_PULLED)) && read_pulled(rd, t, out, e) < 0 ? -1 : 1;
}

int retain_look(const struct retain_reading *rd, const struct tag *t, struct retain_tag *out, struct err *e)
{
	int found = tag_read(rd->r->st, rd->n, t, &out->digest, e);

	return found == 1 ? read_times(rd, t, out, e) : found;
}

struct longer {
	const struct retain_reading *rd;
	struct digestset all;
};

static int add_longer(void *arg, const struct digest *d, struct err *e)
{
	struct longer *l = arg;
	int found = d->alg == DIGEST_SHA512 ? revision_linked(l->rd->r->st, l->rd->n, d, e) : 0;

	if (found == 1)
		digestset_add(&l->all, d);
	return found < 0 ? -1 : 0;
}

/* Of a longer digest the tag has only the beginning. Such tags are rare: no directory is walked for any other. */
static int spoken_longer(const struct retain_reading *rd, const struct digest *d, bool *is, struct err *e)
{
	struct longer l = { .rd = rd };
	int rc = revision_walk(rd->r->st, rd->n, add_longer, &l, e);

	*is = rc == 0 && digestset_has(&l.all, d);
	digestset_release(&l.all);
	return rc;
}

int retain_spoken_of(const struct retain_reading *rd, struct retain_tag *t, struct err *e)
{
	struct digest d;
	int found;

	t->spoken_of = false;
	if (!retain_spoken_digest(t->name, &d))
		return 0;
	if (d.alg == DIGEST_SHA512)
		return spoken_longer(rd, &d, &t->spoken_of, e);
	found = revision_linked(rd->r->st, rd->n, &d, e);
	t->spoken_of = found == 1;
	return found < 0 ? -1 : 0;
}

/* A manifest that was deleted and may come back (doc/RULES.md, "Undo") is spoken of as if it were there. */
static int find_remembered(const struct retain_reading *rd, struct retain_set *s, struct err *e)
{
	cleanup_digestset struct digestset remembered = DIGESTSET_INIT;
	cleanup_undo_marks struct undo_marks marks = UNDO_MARKS_INIT;
	uint64_t now = (uint64_t)rd->now * (uint64_t)RETAIN_USEC;
	struct digest d;

	if (undo_read(rd->r->st, rd->n, &marks, e) < 0)
		return -1;
	for (size_t i = 0; i < marks.count; i++)
		if (undo_counts(marks.v[i].usec, now, rd->r->cfg->undo))
			digestset_add(&remembered, &marks.v[i].digest);
	for (size_t i = 0; i < s->count; i++)
		if (s->tags[i].of_digest && !s->tags[i].spoken_of && retain_spoken_digest(s->tags[i].name, &d))
			s->tags[i].spoken_of = digestset_has(&remembered, &d);
	return 0;
}

static bool any_orphan(const struct retain_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->tags[i].of_digest && !s->tags[i].spoken_of)
			return true;
	return false;
}

struct filling {
	const struct retain_reading *rd;
	struct retain_set *s;
};

static int fill(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct filling *f = arg;
	struct retain_tag *one;
	int found;

	if (retain_pace(f->rd, e) < 0)
		return -1;
	one = retain_add(f->s, t->s);
	one->digest = *d;
	one->of_digest = rules_tag_of_digest(t->s);
	one->immutable = rules_immutable(f->rd->r->cfg, f->rd->n, t->s) != NULL;
	if (one->of_digest && retain_spoken_of(f->rd, one, e) < 0)
		return -1;
	found = read_times(f->rd, t, one, e);
	if (found == 0)
		retain_drop(f->s);      /* removed meanwhile */
	return found < 0 ? -1 : 0;
}

int retain_read(const struct retain_reading *rd, struct retain_set *out, struct err *e)
{
	struct filling f = { rd, out };

	*out = (struct retain_set)RETAIN_SET_INIT;
	if (tag_walk(rd->r->st, rd->n, fill, &f, e) < 0 || (rd->r->cfg->undo && any_orphan(out) && find_remembered(rd, out, e) < 0))
		return -1;
	return retain_asks(rd->rule, KEEP_PLATFORM) || retain_asks(rd->rule, KEEP_SIGNED) ? retain_facts(rd, out, e) : 0;
}
