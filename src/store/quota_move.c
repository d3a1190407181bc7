/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_move: many links at once.
 *
 * Owns no file. A table is read into memory, changed there, and put in the place of the old one.
 */
#include "store/quota_move.h"

#include <string.h>

#include "base/log.h"

static int collect(void *arg, const struct digest *content, struct err *e)
{
	(void)e;
	quota_memory_add(arg, content, 0);
	return 0;
}

/* The sizes of the links' content: a table that has it knows, and else it is looked at. */
static int add_size(void *arg, const struct digest *content, struct err *e)
{
	struct quota_move *m = arg;
	unsigned char key[QUOTA_KEY];
	struct quota_record *r;

	quota_key(content, key);
	r = quota_memory_at(&m->links, key);
	return r->size ? 0 : quota_size(m->to.st, content, &r->size, e);
}

/* How much the group of `to` would grow by. */
static uint64_t growth(const struct quota_move *m, const struct quota_memory *have)
{
	uint64_t more = 0, i;

	for (i = 0; i < m->links.slots; i++)
		if (m->links.v[i].count && !quota_memory_has(have, m->links.v[i].key))
			more += m->links.v[i].size;
	return more;
}

static int check_limit(struct quota_move *m, struct err *e)
{
	cleanup_quota_memory struct quota_memory have = { 0 };
	uint64_t more;

	if (!m->to.st || !m->to.g.limit)
		return 0;
	if (quota_hold_current(&m->to, e) < 0 || quota_hold_whole(&m->to, &have, e) < 0)
		return -1;
	more = growth(m, &have);
	return quota_fits_in(&m->to.g, m->to.head.used, more) ? 0 : quota_refuse(&m->to.g, m->to.head.used, more, e);
}

/* The groups of both names, locked: 1, 0 there is nothing to count, -1 with *e. */
static int enter(struct quota_move *m, struct store *st, const struct name *from, const struct name *to, bool whole, struct err *e)
{
	struct quota_group gf, gt;
	int of_from = quota_group(st, from, &gf, e), of_to = of_from < 0 || !to ? 0 : quota_group(st, to, &gt, e);

	if (of_from < 0 || of_to < 0)
		return -1;
	if (!of_from && !of_to)
		return 0;
	if (of_from && of_to && strcmp(gf.text, gt.text) == 0) {
		if (quota_hold(&m->from, st, &gf, e) < 0)
			return -1;
		/* Copied links are counted anew: they may be there already. */
		return whole ? 0 : quota_hold_break(&m->from, e);
	}
	if (of_from && of_to)
		return quota_hold_two(&m->from, &m->to, st, &gf, &gt, e) < 0 ? -1 : 1;
	return quota_hold(of_from ? &m->from : &m->to, st, of_from ? &gf : &gt, e) < 0 ? -1 : 1;
}

int quota_move_begin(struct quota_move *m, struct store *st, const struct name *from, const struct name *to, bool whole, struct err *e)
{
	int counted = enter(m, st, from, to, whole, e);

	if (counted == 0)
		return 0;
	if (counted == 1 && quota_each(st, from, collect, &m->links, e) == 0 && (!m->to.st || quota_each(st, from, add_size, m, e) == 0) &&
	    check_limit(m, e) == 0 && quota_hold_mark(&m->from, e) == 0 && quota_hold_mark(&m->to, e) == 0) {
		m->marked = true;
		return 0;
	}
	quota_move_end(m);
	return -1;
}

static void subtract(const struct quota_memory *all, const struct quota_memory *links, struct quota_memory *out)
{
	uint64_t i;

	for (i = 0; i < all->slots; i++) {
		struct quota_record r = all->v[i];
		const struct quota_record *gone = r.count ? quota_memory_has(links, r.key) : NULL;

		r.count -= gone ? (gone->count < r.count ? gone->count : r.count) : 0;
		if (r.count)
			quota_memory_put(out, &r);
	}
}

static void add(struct quota_memory *all, const struct quota_memory *links)
{
	uint64_t i;

	for (i = 0; i < links->slots; i++) {
		const struct quota_record *had = links->v[i].count ? quota_memory_has(all, links->v[i].key) : NULL;
		struct quota_record r = links->v[i];

		if (!r.count)
			continue;
		if (had) {
			r.count += had->count;
			r.size = had->size;
		}
		quota_memory_put(all, &r);
	}
}

static int done(struct quota_move *m, struct err *e)
{
	cleanup_quota_memory struct quota_memory all = { 0 }, left = { 0 };

	if (m->marked && m->from.fd >= 0) {
		if (quota_hold_load(&m->from, &all, e) < 0)
			return -1;
		subtract(&all, &m->links, &left);
		if (quota_hold_replace(&m->from, &left, e) < 0)
			return -1;
	}
	if (m->marked && m->to.fd >= 0) {
		uint64_t before = m->to.head.used;

		if (quota_hold_load(&m->to, &all, e) < 0)
			return -1;
		add(&all, &m->links);
		if (quota_hold_replace(&m->to, &all, e) < 0)
			return -1;
		quota_hold_watch(&m->to, before);
	}
	return 0;
}

void quota_move_done(struct quota_move *m)
{
	cleanup_err struct err e = ERR_INIT;

	if (done(m, &e) < 0)            /* it is counted anew */
		log_say(LOG_WARN, "quota", "%s", e.cause);
}

void quota_move_end(struct quota_move *m)
{
	quota_release(&m->to);
	quota_release(&m->from);
	quota_memory_release(&m->links);
}
