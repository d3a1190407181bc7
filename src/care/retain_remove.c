/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_remove: tags go in batches.
 *
 * Owns what a batch moved to the trash until that is removed. Invariant: a tag is removed only if it is, under the lock, what it was when it was
 * read, and so are the newer tags that it is too old for. A pull needs no lock: one that comes between that look and the removal comes
 * too late.
 */
#include "care/retain_remove.h"

#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "os/process.h"
#include "registry/reg_delete.h"
#include "registry/reg_index.h"
#include "store/lock.h"

#define BATCH 64
#define FIRST 8         /* so many at once until BATCH are gone: a mark needs an inode before the tag frees some, and the disk may have none */

static struct tag tag_of(const struct retain_tag *t)
{
	struct tag tag = { .len = 0 };

	tag_parse(&tag, t->name, strlen(t->name));      /* it was one when it was read */
	return tag;
}

/* Whether the tag is what it was: 1, 0, -1 with *e. That a witness was pulled or pushed again changes nothing. */
static int is_the_same(const struct retain_reading *rd, const struct retain_tag *was, struct err *e)
{
	struct retain_tag now = { .name = was->name, .of_digest = was->of_digest };
	struct tag tag = tag_of(was);
	int found = retain_look(rd, &tag, &now, e);

	if (found == 1 && was->why == RETAIN_ORPHAN && retain_spoken_of(rd, &now, e) < 0)
		return -1;
	if (found <= 0 || !digest_eq(&now.digest, &was->digest) || now.spoken_of != was->spoken_of)
		return found < 0 ? -1 : 0;
	if (retain_asks(rd->rule, KEEP_SIGNED) && !was->of_digest) {
		found = retain_signed(rd, &was->digest, e);
		if (found < 0 || found != was->is_signed)
			return found < 0 ? -1 : 0;
	}
	return was->witness ? now.pushed >= was->pushed : now.pushed == was->pushed && now.pulled == was->pulled;
}

static int witnesses_are_there(const struct retain_removing *rm, struct err *e)
{
	for (size_t i = 0; i < rm->s->count; i++) {
		int same = rm->s->tags[i].witness ? is_the_same(rm->rd, &rm->s->tags[i], e) : 1;

		if (same <= 0)
			return same;
	}
	return 1;
}

/* Under the lock: 0, 1 if the decision has to be made anew, -1 with *e. */
static int remove_locked(struct retain_removing *rm, struct retain_tag *const *tags, size_t count, struct names *trashed, struct err *e)
{
	struct reg_tag_target v[BATCH];
	struct retain_tag *gone[BATCH];
	size_t n = 0;
	int there = 1;

	if (retain_asks(rm->rd->rule, KEEP_SIGNED) && reg_index_ensure(rm->rd->r, rm->rd->n, e) < 0)
		return -1;
	if (!rm->orphans)
		there = witnesses_are_there(rm, e);
	if (there <= 0)
		return there < 0 ? -1 : 1;
	for (size_t i = 0; i < count; i++) {
		int same = is_the_same(rm->rd, tags[i], e);

		if (same < 0)
			return -1;
		if (same == 0) {
			rm->changed++;
			continue;
		}
		gone[n] = tags[i];
		v[n++] = (struct reg_tag_target){ .tag = tag_of(tags[i]), .digest = tags[i]->digest };
	}
	if (n && reg_delete_tags(rm->rd->r, rm->rd->n, v, n, trashed, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		rm->removed(rm->arg, gone[i]);
	return 0;
}

/* Afterwards writers of the repository have the lock for as long as they had to wait for it. */
static int remove_batch(struct retain_removing *rm, struct retain_tag *const *tags, size_t count, struct err *e)
{
	cleanup_names struct names trashed = NAMES_INIT;
	struct store *st = rm->rd->r->st;
	cleanup_fd int lock = -1;
	uint64_t begun;
	int rc;

	if (retain_pace(rm->rd, e) < 0 || lock_repository(st, rm->rd->n, &lock, e) < 0)
		return -1;
	begun = time_now_usec();
	rc = remove_locked(rm, tags, count, &trashed, e);
	os_cleanup_fd(&lock);
	begun = time_now_usec() - begun;
	if (rc == 0)            /* after an error a removal may not be durable: leave the trash to the collector */
		store_purge_all(st, &trashed);
	os_sleep(begun);
	return rc;
}

int retain_remove(struct retain_removing *rm, struct err *e)
{
	struct retain_tag *batch[BATCH];
	size_t n = 0, gone = 0, most;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < rm->s->count; i++) {
		struct retain_tag *t = &rm->s->tags[i];

		if (retain_stays(t) || (rm->orphans && t->why != RETAIN_ORPHAN))
			continue;
		batch[n++] = t;
		most = rm->rd->r->cfg->undo && rm->before + gone < BATCH ? FIRST : BATCH;
		if (n == most) {
			rc = remove_batch(rm, batch, n, e);
			gone += n;
			n = 0;
		}
	}
	return rc == 0 && n ? remove_batch(rm, batch, n, e) : rc;
}
