/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota: one link more, or one less.
 *
 * Owns no file. Invariant: the sum of a group is compared with its limit under the same lock under which the link is then made.
 */
#include "store/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "os/file.h"
#include "store/store_path.h"

static int find(struct quota_hold *h, const unsigned char key[QUOTA_KEY], struct quota_place *out, struct err *e)
{
	int found = quota_table_find(h->fd, &h->head, key, out);

	if (found < 0 && errno == EUCLEAN) {            /* a damaged file */
		if (quota_hold_again(h, e) < 0)
			return -1;
		found = quota_table_find(h->fd, &h->head, key, out);
	}
	return found < 0 ? err_sys(e, "cannot read a table of quotas, in %s", STORE_QUOTA_DIR) : found;
}

/* How many bytes the group's sum would grow by. */
static uint64_t growth(const struct quota_place *p, uint64_t size)
{
	return !p->r.count ? size : size > p->r.size ? size - p->r.size : 0;
}

static void fill(struct quota_intent *i, const struct name *n, enum quota_kind kind, const struct digest *called, const struct quota_place *p)
{
	*i = (struct quota_intent){ .kind = kind, .fresh = p->fresh, .slot = p->slot, .before = p->r };
	memcpy(i->called, called->text, strlen(called->text) + 1);
	memcpy(i->repository, n->s, n->len + 1);
}

/* The place of the content, in a table that has room for it. */
static int make_place(struct quota_hold *h, const unsigned char key[QUOTA_KEY], bool was, struct quota_place *p, struct err *e)
{
	if (find(h, key, p, e) < 0 || (was && !p->r.count && (quota_hold_again(h, e) < 0 || find(h, key, p, e) < 0)))
		return -1;
	if (!p->fresh || !quota_table_full(&h->head))
		return 0;
	return quota_hold_room(h, e) < 0 || find(h, key, p, e) < 0 ? -1 : 0;
}

static int prepare_link(struct quota_change *c, const struct name *n, enum quota_kind kind, const struct digest *called,
			const struct digest *target, uint64_t size, struct err *e)
{
	struct quota_hold *h = &c->hold;
	unsigned char key[QUOTA_KEY], other[QUOTA_KEY];
	struct quota_intent i;
	struct quota_place p;
	struct digest now;
	bool replaces = false;
	int was;

	if (h->g.limit && quota_hold_current(h, e) < 0)
		return -1;
	if (h->fd < 0)                  /* no table, and no limit here: whoever needs one counts */
		return 0;
	was = quota_link(h->st, n, kind, called, &now, e);
	if (was < 0 || (size == QUOTA_ASK && quota_size(h->st, target, &size, e) < 0))
		return -1;
	quota_key(target, key);
	if (was) {
		quota_key(&now, other);
		replaces = memcmp(key, other, QUOTA_KEY) != 0;
	}
	if (make_place(h, key, was && !replaces, &p, e) < 0)
		return -1;
	if (!quota_fits_in(&h->g, h->head.used, growth(&p, size)))
		return quota_refuse(&h->g, h->head.used, growth(&p, size), e);
	if (replaces)                   /* a link of registry:2 under another digest's name: two records would change */
		return quota_hold_break(h, e);
	if (was && p.r.size == size)
		return 0;
	fill(&i, n, kind, called, &p);
	i.was = was == 1;
	i.size = size;
	if (quota_hold_begin(h, &i, e) < 0)
		return -1;
	c->counts = true;
	return 0;
}

/* Group and table of a change: 1, 0 nothing is counted, -1 with *e. */
static int begin(struct quota_change *c, struct store *st, const struct name *n, struct err *e)
{
	struct quota_group g;
	int in = quota_group(st, n, &g, e);

	c->counts = c->done = c->adds = false;
	return in <= 0 ? in : quota_hold(&c->hold, st, &g, e) < 0 ? -1 : 1;
}

int quota_begin_link(struct quota_change *c, struct store *st, const struct name *n, enum quota_kind kind, const struct digest *called,
		     const struct digest *target, uint64_t size, struct err *e)
{
	int in = begin(c, st, n, e);

	if (in <= 0)
		return in;
	c->adds = true;
	if (prepare_link(c, n, kind, called, target, size, e) == 0)
		return 0;
	quota_release(&c->hold);
	return -1;
}

static int prepare_unlink(struct quota_change *c, const struct name *n, enum quota_kind kind, const struct digest *called, struct err *e)
{
	struct quota_hold *h = &c->hold;
	unsigned char key[QUOTA_KEY];
	struct quota_intent i;
	struct quota_place p;
	struct digest now;
	int was = h->fd < 0 ? 0 : quota_link(h->st, n, kind, called, &now, e), found;

	if (was <= 0)
		return was;
	quota_key(&now, key);
	found = quota_table_find(h->fd, &h->head, key, &p);
	if (found < 0 && errno != EUCLEAN)
		return err_sys(e, "cannot read a table of quotas, in %s", STORE_QUOTA_DIR);
	/* Whoever needs the table counts it again, and not this caller: it may hold the collector's lock alone. */
	if (found < 0 || !p.r.count)
		return quota_hold_break(h, e);
	fill(&i, n, kind, called, &p);
	i.was = 1;
	i.size = p.r.size;
	if (quota_hold_begin(h, &i, e) < 0)
		return -1;
	c->counts = true;
	return 0;
}

void quota_done(struct quota_change *c)
{
	c->done = true;
}

/* If the count cannot be written the intent stays, and the next one who holds the lock settles it. */
void quota_end(struct quota_change *c)
{
	cleanup_err struct err e = ERR_INIT;

	if (c->counts) {
		uint64_t before = c->hold.head.used;

		if ((c->done ? quota_hold_end(&c->hold, c->adds, &e) : quota_hold_settle(&c->hold, &e)) < 0)
			log_say(LOG_WARN, "quota", "%s", e.cause);
		else if (c->adds)
			quota_hold_watch(&c->hold, before);
	}
	c->counts = false;
	quota_release(&c->hold);
}

/* The directory of the link has been taken away. If it cannot be flushed, the intent stays. */
static int gone(struct quota_change *c, const char *dir, struct err *e)
{
	c->done = true;
	if (!c->counts || !store_flushes_index(c->hold.st) || store_flush_above(c->hold.st, dir, 1) == 0)
		return 0;
	c->counts = false;
	return err_sys(e, "cannot flush the directory of %s", dir);
}

int quota_unlink(struct store *st, const struct name *n, enum quota_kind kind, const struct digest *called, quota_away *away,
		 struct str *trashed, struct err *e)
{
	cleanup_quota struct quota_change c = QUOTA_CHANGE_INIT;
	cleanup_str struct str dir = STR_INIT;
	int in = begin(&c, st, n, e), found;

	if (in < 0 || (in && prepare_unlink(&c, n, kind, called, e) < 0))
		return -1;
	quota_path(&dir, n, kind, called);
	found = away(st, dir.buf, trashed, e);
	return found == 1 && gone(&c, dir.buf, e) < 0 ? -1 : found;
}

int quota_fits(struct store *st, const struct name *n, const struct digest *d, uint64_t size, struct err *e)
{
	cleanup_quota_hold struct quota_hold h = QUOTA_HOLD_INIT;
	unsigned char key[QUOTA_KEY];
	struct quota_head head;
	struct quota_group g;
	struct quota_place p = { 0 };
	int in = quota_group(st, n, &g, e), current;

	if (in <= 0 || !g.limit || !size)
		return in < 0 ? -1 : 0;
	current = quota_peek(st, &g, &head, e);
	if (current < 0)
		return -1;
	if (current && quota_fits_in(&g, head.used, size))
		return 0;
	if (quota_hold(&h, st, &g, e) < 0 || quota_hold_current(&h, e) < 0)
		return -1;
	if (d) {
		quota_key(d, key);
		if (find(&h, key, &p, e) < 0)
			return -1;
	}
	return quota_fits_in(&g, h.head.used, growth(&p, size)) ? 0 : quota_refuse(&g, h.head.used, growth(&p, size), e);
}

int quota_fits_all(struct store *st, const struct name *n, const struct digest *v, size_t count, struct err *e)
{
	cleanup_quota_hold struct quota_hold h = QUOTA_HOLD_INIT;
	cleanup_quota_memory struct quota_memory more = { 0 };
	struct quota_group g;
	int in = quota_group(st, n, &g, e);
	size_t i;

	if (in <= 0 || !g.limit)
		return in < 0 ? -1 : 0;
	if (quota_hold(&h, st, &g, e) < 0 || quota_hold_current(&h, e) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		unsigned char key[QUOTA_KEY];
		struct quota_place p;
		uint64_t size;

		quota_key(&v[i], key);
		if (find(&h, key, &p, e) < 0 || quota_size(st, &v[i], &size, e) < 0)
			return -1;
		quota_memory_add(&more, &v[i], growth(&p, size));
	}
	return quota_fits_in(&g, h.head.used, more.used) ? 0 : quota_refuse(&g, h.head.used, more.used, e);
}

int quota_prepare(struct store *st, const struct name *n, struct err *e)
{
	cleanup_quota_hold struct quota_hold h = QUOTA_HOLD_INIT;
	struct quota_group g;
	struct quota_head head;
	int in = quota_group(st, n, &g, e), current = in <= 0 ? in : quota_peek(st, &g, &head, e);

	if (in <= 0 || current)
		return current < 0 ? -1 : 0;
	return quota_hold(&h, st, &g, e) < 0 ? -1 : quota_hold_current(&h, e);
}

int quota_repair(struct quota_hold *h, struct store *st, const struct name *n, struct err *e)
{
	struct quota_group g;
	int in = quota_group(st, n, &g, e);

	h->st = NULL;
	if (in <= 0)
		return in;
	if (quota_hold(h, st, &g, e) < 0)
		return -1;
	if (quota_hold_break(h, e) == 0)
		return 0;
	quota_release(h);
	return -1;
}

static int repair_one(void *arg, const char *path, struct err *e)
{
	cleanup_quota_hold struct quota_hold h = QUOTA_HOLD_INIT;
	struct store *st = arg;
	cleanup_fd int fd = os_open_file(st->dirfd, path, O_RDONLY, 0);
	struct quota_head head;
	struct quota_group g = { .limit = 0 };

	if (fd < 0 || quota_table_read(fd, &head) != 1)
		return 0;
	g.version = head.version;
	memcpy(g.text, head.group, strlen(head.group) + 1);
	return quota_hold(&h, st, &g, e) < 0 ? -1 : quota_hold_break(&h, e);
}

int quota_repair_all(struct store *st, struct err *e)
{
	return quota_table_each(st, SIZE_MAX, repair_one, st, e);
}

int quota_used(struct store *st, const struct name *n, uint64_t *used, uint64_t *limit, struct err *e)
{
	cleanup_quota_memory struct quota_memory links = { 0 };
	struct quota_group g;
	struct quota_head head;
	int in = quota_group(st, n, &g, e), current = in <= 0 ? in : quota_peek(st, &g, &head, e);

	*used = current == 1 ? head.used : 0;
	*limit = g.limit;
	if (current || !quota_group_own(st, n, &g))
		return current;
	if (quota_count(st, &g, &links, e) < 0)
		return -1;
	*used = links.used;
	*limit = g.limit;
	return 1;
}

/* The limit of a group, by the repository that has its name: 0 none. Of all repositories that is a name without components. */
static uint64_t limit_of(const struct store *st, const char *group)
{
	struct name n = { .len = strlen(group) };
	uint64_t limit;
	size_t len;

	memcpy(n.s, group, n.len + 1);
	return st->quota.by->group(st->quota.arg, &n, &len, &limit) && len == n.len ? limit : 0;
}

struct summing {
	struct store *st;
	struct quota_sums *out;
};

static int sum_up(void *arg, const char *path, struct err *e)
{
	const struct summing *sum = arg;
	const struct store *st = sum->st;
	cleanup_fd int fd = os_open_file(st->dirfd, path, O_RDONLY, 0);
	struct quota_head head;
	uint64_t limit;

	(void)e;
	if (fd < 0 || quota_table_read(fd, &head) != 1 || head.broken || !*st->epoch || memcmp(head.epoch, st->epoch, STORE_EPOCH_LEN) != 0)
		return 0;
	limit = limit_of(st, head.group);
	if (!limit)
		return 0;
	sum->out->groups++;
	sum->out->used += head.used;
	sum->out->limit += limit;
	sum->out->warned += head.used >= quota_warned_from(limit);
	return 0;
}

int quota_sums(struct store *st, struct quota_sums *out, struct err *e)
{
	*out = (struct quota_sums){ 0 };
	return st->quota.by ? quota_table_each(st, QUOTA_SUMS_MAX, sum_up, &(struct summing){ st, out }, e) : 0;
}

/* Whether all records are the same. Neither has one without a count. */
static bool same(const struct quota_memory *a, const struct quota_memory *b)
{
	uint64_t i;

	if (a->entries != b->entries || a->used != b->used)
		return false;
	for (i = 0; i < a->slots; i++) {
		const struct quota_record *r = a->v[i].count ? quota_memory_has(b, a->v[i].key) : NULL;

		if (a->v[i].count && (!r || r->count != a->v[i].count || r->size != a->v[i].size))
			return false;
	}
	return true;
}

int quota_check(struct store *st, const struct name *n, struct str *what, struct err *e)
{
	cleanup_quota_memory struct quota_memory links = { 0 }, table = { 0 };
	cleanup_quota_hold struct quota_hold h = QUOTA_HOLD_INIT;
	struct quota_group g;
	struct quota_head head;
	int in = quota_group(st, n, &g, e), current = in <= 0 ? in : quota_peek(st, &g, &head, e);

	if (current <= 0)
		return current;
	if (quota_count(st, &g, &links, e) < 0)
		return -1;
	if (head.intent.pending != QUOTA_PENDING && head.used == links.used && head.entries == links.entries)
		return 0;
	if (quota_hold(&h, st, &g, e) < 0)
		return -1;
	if (!h.current)
		return 0;
	if (quota_count(st, &g, &links, e) < 0 || (quota_hold_load(&h, &table, e) < 0 && e->sys != EUCLEAN))
		return -1;
	err_release(e);
	if (table.used == h.head.used && same(&links, &table))
		return 0;
	str_addf(what, "says %" PRIu64 " bytes in %" PRIu64 " blobs and manifests, ", h.head.used, h.head.entries);
	str_addf(what, "the links say %" PRIu64 " in %" PRIu64, links.used, links.entries);
	return 1;
}

bool quota_crossed(struct store *st, const char **group, uint64_t *used, uint64_t *limit)
{
	struct quota_state *q = &st->quota;

	if (!q->crossed)
		return false;
	q->crossed = false;
	*group = q->crossed_group;
	*used = q->crossed_used;
	*limit = q->crossed_limit;
	return true;
}
