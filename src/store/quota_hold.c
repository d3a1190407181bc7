/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_hold: locking a group, opening its table, settling.
 *
 * Owns berth/locks/quota/, and the descriptors of tables that a process keeps open. Invariant: a table with an intent is right but for
 * the link of the intent, which is looked at before anything else is done.
 */
#include "store/quota_hold.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "os/file.h"
#include "os/lock.h"
#include "store/lock.h"
#include "store/store_path.h"

static unsigned stripe_of(const struct quota_group *g)
{
	return lock_stripe_of(g->text, strlen(g->text));
}

#define HURRY_MS 200    /* longer than anybody needs who does not count */

/* Who holds the collector's lock alone does not wait here for somebody who counts: see quota_hurry(). */
static int lock_soon(struct quota_hold *h, int fd, struct err *e)
{
	struct quota_state *q = &h->st->quota;
	int locked = lock_acquire_soon(h->st, fd, LOCK_QUOTA, HURRY_MS, e);

	if (locked)
		return locked < 0 ? -1 : 0;
	q->busy = true;
	memcpy(q->busy_group, h->g.text, strlen(h->g.text) + 1);
	return err_set(e, ERR_UNAVAILABLE, "others are busy with the quota of this name space");
}

static int lock_group(struct quota_hold *h, struct err *e)
{
	unsigned stripe = stripe_of(&h->g);
	int *fd = &h->st->quota.locks[stripe];
	cleanup_str struct str path = STR_INIT;

	if (*fd < 0) {
		path_quota_lock(&path, stripe);
		*fd = os_lock_open(h->st->dirfd, path.buf);
		if (*fd < 0)
			return err_sys(e, "cannot open %s", path.buf);
	}
	if ((h->st->quota.hurry ? lock_soon(h, *fd, e) : lock_acquire(h->st, *fd, LOCK_QUOTA, e)) < 0)
		return -1;
	h->lock = *fd;
	return 0;
}

/* The place of a group among the open tables, or the one that was not used for longest. */
static struct quota_open *place_of(struct quota_state *q, const char *group)
{
	struct quota_open *oldest = &q->tables[0];
	size_t i;

	for (i = 0; i < QUOTA_TABLES; i++) {
		struct quota_open *o = &q->tables[i];

		if (o->fd >= 0 && strcmp(o->group, group) == 0)
			return o;
		if (o->fd < 0 ? oldest->fd >= 0 : oldest->fd >= 0 && o->used < oldest->used)
			oldest = o;
	}
	return oldest;
}

static bool is_of(const struct quota_head *head, const struct quota_group *g)
{
	return head->version == g->version && !head->broken && strcmp(head->group, g->text) == 0;
}

static bool is_current(const struct store *st, const struct quota_head *head)
{
	return *st->epoch && memcmp(head->epoch, st->epoch, STORE_EPOCH_LEN) == 0;
}

static int failed(const struct quota_group *g, struct err *e)
{
	return err_sys(e, "cannot read or write the table of the quota of %s, in %s", *g->text ? g->text : "the registry", STORE_QUOTA_DIR);
}

/* Read the header behind a descriptor: 1 it is this group's, by these rules; 0; -1 with *e. */
static int read_head(int fd, const struct quota_group *g, struct quota_head *head, struct err *e)
{
	int found = quota_table_read(fd, head);

	return found < 0 ? failed(g, e) : found && is_of(head, g);
}

/*
 * A table that was kept open may have been replaced: then it is no table, or not a current one, and the name is looked up once more. On a
 * file system of several machines nothing is kept open: what another one has written is seen by opening the file.
 */
static int open_kept(struct store *st, const struct quota_group *g, int *fd, struct quota_head *head, struct err *e)
{
	struct quota_open *o = place_of(&st->quota, g->text);
	int found;

	*fd = -1;
	if (o->fd >= 0 && strcmp(o->group, g->text) == 0) {
		found = read_head(o->fd, g, head, e);
		if (found < 0)
			return -1;
		if (found && is_current(st, head)) {
			*fd = o->fd;
			o->used = ++st->quota.clock;
			return 1;
		}
	}
	os_cleanup_fd(&o->fd);
	o->fd = quota_table_open(st, g->text);
	if (o->fd < 0)
		return os_gone(errno) || errno == EUCLEAN || errno == EISDIR ? 0 : failed(g, e);
	memcpy(o->group, g->text, strlen(g->text) + 1);
	o->used = ++st->quota.clock;
	found = read_head(o->fd, g, head, e);
	if (found == 1)
		*fd = o->fd;
	return found;
}

static int open_once(struct store *st, const struct quota_group *g, int *fd, struct quota_head *head, struct err *e)
{
	int found;

	*fd = quota_table_open(st, g->text);
	if (*fd < 0)
		return os_gone(errno) || errno == EUCLEAN || errno == EISDIR ? 0 : failed(g, e);
	found = read_head(*fd, g, head, e);
	if (found <= 0)
		os_cleanup_fd(fd);
	return found;
}

static int load(struct quota_hold *h, struct err *e)
{
	int found = h->st->local ? open_kept(h->st, &h->g, &h->fd, &h->head, e) : open_once(h->st, &h->g, &h->fd, &h->head, e);

	h->owned = h->fd >= 0 && !h->st->local;
	h->current = found == 1 && is_current(h->st, &h->head);
	return found < 0 ? -1 : 0;
}

int quota_hold_mark(struct quota_hold *h, struct err *e)
{
	if (!h->st || h->fd < 0)
		return 0;
	h->head.broken = 1;
	if (quota_table_write(h->fd, &h->head) < 0 || (store_flushes_index(h->st) && os_fsync(h->fd) < 0))
		return failed(&h->g, e);
	return 0;
}

int quota_hold_break(struct quota_hold *h, struct err *e)
{
	if (h->fd < 0)
		return 0;
	if (quota_hold_mark(h, e) < 0)
		return -1;
	if (h->owned)
		os_cleanup_fd(&h->fd);
	h->fd = -1;
	h->current = false;
	return 0;
}

/* The record after a change. */
static struct quota_record counted(const struct quota_intent *i, bool there)
{
	struct quota_record r = i->before;

	r.count = there && !i->was ? r.count + 1 : !there && i->was && r.count ? r.count - 1 : r.count;
	r.size = !r.count ? QUOTA_GONE : there ? i->size : r.size;
	return r;
}

static int put_record(struct quota_hold *h, const struct quota_intent *i, bool there)
{
	struct quota_record r = counted(i, there);

	return r.count || !i->fresh ? quota_table_put(h->fd, i->slot, &r) : 0;
}

int quota_hold_settle(struct quota_hold *h, struct err *e)
{
	const struct quota_intent *i = &h->head.intent;
	unsigned char key[QUOTA_KEY];
	struct digest called, target;
	struct name n;
	int there;

	if (name_parse(&n, i->repository, strlen(i->repository)) < 0 || digest_parse(&called, i->called, strlen(i->called)) < 0)
		return quota_hold_break(h, e);
	there = quota_link(h->st, &n, i->kind == QUOTA_REVISION ? QUOTA_REVISION : QUOTA_LAYER, &called, &target, e);
	if (there < 0)
		return -1;
	if (there)
		quota_key(&target, key);
	return quota_hold_end(h, there && memcmp(key, i->before.key, QUOTA_KEY) == 0, e);
}

/* What another process, or on a file system of several machines another machine, did not live to write. */
static int settle(struct quota_hold *h, struct err *e)
{
	const struct quota_intent *last = &h->head.last, *i = &h->head.intent;

	if (h->fd < 0)
		return 0;
	if ((last->pending == QUOTA_COUNTED && put_record(h, last, last->there) < 0) ||
	    (i->pending == QUOTA_COUNTED && put_record(h, i, i->there) < 0))
		return failed(&h->g, e);
	return i->pending == QUOTA_PENDING ? quota_hold_settle(h, e) : 0;
}

static int enter(struct quota_hold *h, bool lock, struct err *e)
{
	h->fd = -1;
	h->owned = h->current = false;
	h->shared = !lock;
	if ((lock && lock_group(h, e) < 0) || load(h, e) < 0 || settle(h, e) < 0) {
		quota_release(h);
		return -1;
	}
	return 0;
}

int quota_hold(struct quota_hold *h, struct store *st, const struct quota_group *g, struct err *e)
{
	h->st = st;
	h->g = *g;
	h->lock = -1;
	return enter(h, true, e);
}

int quota_hold_two(struct quota_hold *a, struct quota_hold *b, struct store *st, const struct quota_group *ga, const struct quota_group *gb,
		   struct err *e)
{
	unsigned one = stripe_of(ga), other = stripe_of(gb);
	struct quota_hold *first = one <= other ? a : b, *second = one <= other ? b : a;

	a->st = b->st = st;
	a->g = *ga;
	b->g = *gb;
	a->lock = b->lock = -1;
	if (enter(first, true, e) < 0) {
		second->st = NULL;
		return -1;
	}
	if (enter(second, one != other, e) == 0)
		return 0;
	quota_release(first);
	return -1;
}

void quota_hurry(struct store *st)
{
	st->quota.hurry = true;
	st->quota.busy = false;
}

bool quota_was_busy(const struct store *st)
{
	return st->quota.busy;
}

int quota_try_again(struct store *st, struct err *e)
{
	cleanup_quota_hold struct quota_hold h = { .st = st, .lock = -1, .fd = -1 };

	if (!st->quota.busy)
		return -1;
	st->quota.busy = false;
	err_release(e);
	memcpy(h.g.text, st->quota.busy_group, strlen(st->quota.busy_group) + 1);
	return lock_group(&h, e);
}

void quota_release(struct quota_hold *h)
{
	if (!h->st)
		return;
	if (h->owned)
		os_cleanup_fd(&h->fd);
	h->fd = -1;
	if (h->lock >= 0 && !h->shared)
		os_unlock(h->lock);
	h->lock = -1;
	h->st = NULL;
}

int quota_hold_load(struct quota_hold *h, struct quota_memory *m, struct err *e)
{
	quota_memory_release(m);
	return h->fd >= 0 && quota_table_load(h->fd, &h->head, m) < 0 ? failed(&h->g, e) : 0;
}

/* Another file takes the place of the one that is open. */
int quota_hold_replace(struct quota_hold *h, const struct quota_memory *m, struct err *e)
{
	if (h->owned)
		os_cleanup_fd(&h->fd);
	h->fd = -1;
	h->current = false;
	return quota_table_publish(h->st, &h->head, m) < 0 ? failed(&h->g, e) : load(h, e);
}

int quota_hold_count(struct quota_hold *h, struct err *e)
{
	cleanup_quota_memory struct quota_memory m = { 0 };

	if (quota_count(h->st, &h->g, &m, e) < 0)
		return -1;
	h->head = (struct quota_head){ .version = h->g.version };
	memcpy(h->head.epoch, h->st->epoch, STORE_EPOCH_LEN);
	memcpy(h->head.group, h->g.text, strlen(h->g.text) + 1);
	if (quota_hold_replace(h, &m, e) < 0)
		return -1;
	metrics_add(METRIC_QUOTA_COUNTED, 1);
	/* Without an epoch nobody else believes it, but under this lock it is right. */
	h->current = h->fd >= 0;
	return 0;
}

int quota_hold_again(struct quota_hold *h, struct err *e)
{
	log_say(LOG_WARN, "quota", "the table of %s does not fit the links: they are counted again", *h->g.text ? h->g.text : "the registry");
	return quota_hold_count(h, e);
}

int quota_hold_whole(struct quota_hold *h, struct quota_memory *m, struct err *e)
{
	if (quota_hold_load(h, m, e) == 0)
		return 0;
	if (e->sys != EUCLEAN)
		return -1;
	err_release(e);
	return quota_hold_again(h, e) < 0 ? -1 : quota_hold_load(h, m, e);
}

int quota_hold_current(struct quota_hold *h, struct err *e)
{
	return h->current ? 0 : quota_hold_count(h, e);
}

int quota_hold_room(struct quota_hold *h, struct err *e)
{
	cleanup_quota_memory struct quota_memory m = { 0 };
	bool current;

	if (h->fd < 0 || !quota_table_full(&h->head))
		return 0;
	if (quota_hold_whole(h, &m, e) < 0)
		return -1;
	current = h->current;
	quota_memory_room(&m);
	if (quota_hold_replace(h, &m, e) < 0)
		return -1;
	h->current = current;
	return 0;
}

int quota_hold_begin(struct quota_hold *h, const struct quota_intent *i, struct err *e)
{
	/* This flush covers the record of the change before; until it has ended, the header does. */
	h->head.last = h->head.intent.pending == QUOTA_COUNTED ? h->head.intent : (struct quota_intent){ 0 };
	h->head.intent = *i;
	h->head.intent.pending = QUOTA_PENDING;
	if (quota_table_write(h->fd, &h->head) == 0 && (!store_flushes_index(h->st) || os_fsync(h->fd) == 0))
		return 0;
	return failed(&h->g, e);
}

/*
 * The record first: as long as the intent stands, this can be done again with the same result. On a file system of several machines
 * a power cut may lose either of the two writes, so the intent stays, and says what came of it.
 */
int quota_hold_end(struct quota_hold *h, bool there, struct err *e)
{
	struct quota_head head = h->head;
	struct quota_intent *i = &head.intent;
	struct quota_record r = counted(i, there);

	if (i->before.count) {
		head.used -= i->before.size < head.used ? i->before.size : head.used;
		head.entries -= head.entries > 0;
	}
	if (r.count) {
		head.used += r.size;
		head.entries++;
		head.filled += i->fresh;
	}
	if (put_record(h, i, there) < 0)
		return failed(&h->g, e);
	if (store_flushes_index(h->st)) {
		i->there = there;
		i->pending = QUOTA_COUNTED;
	} else {
		*i = (struct quota_intent){ 0 };
	}
	if (quota_table_write(h->fd, &head) < 0)
		return failed(&h->g, e);
	h->head = head;
	return 0;
}

uint64_t quota_warned_from(uint64_t limit)
{
	return limit / 100 * QUOTA_WARN + limit % 100 * QUOTA_WARN / 100;
}

void quota_hold_watch(const struct quota_hold *h, uint64_t before)
{
	struct quota_state *q = &h->st->quota;
	uint64_t from = quota_warned_from(h->g.limit);

	if (!h->g.limit || before >= from || h->head.used < from)
		return;
	q->crossed = true;
	memcpy(q->crossed_group, h->g.text, strlen(h->g.text) + 1);
	q->crossed_used = h->head.used;
	q->crossed_limit = h->g.limit;
}

int quota_peek(struct store *st, const struct quota_group *g, struct quota_head *out, struct err *e)
{
	int fd = -1, found = st->local ? open_kept(st, g, &fd, out, e) : open_once(st, g, &fd, out, e);

	if (!st->local)
		os_cleanup_fd(&fd);
	return found < 0 ? -1 : found == 1 && is_current(st, out);
}

bool quota_fits_in(const struct quota_group *g, uint64_t used, uint64_t more)
{
	return !g->limit || !more || (used <= g->limit && more <= g->limit - used);
}

int quota_refuse(const struct quota_group *g, uint64_t used, uint64_t more, struct err *e)
{
	metrics_add(METRIC_QUOTA_REFUSED, 1);
	err_set(e, ERR_DENIED, "the quota does not allow it: %" PRIu64 " bytes are used of %" PRIu64 ", and %" PRIu64 " more would be needed, in %s",
		used, g->limit, more, *g->text ? g->text : "the registry");
	return err_plain(e);
}
