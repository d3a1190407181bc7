/* SPDX-License-Identifier: Apache-2.0 */
/* quota_table: a table on disk, changed one record at a time, against a plain list. */

#include "store/quota_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"
#include "os/tree.h"
#include "store/layout.h"
#include "tap.h"

#define CONTENTS 600
#define GROUP "team/red"

static struct store *st;

static void digest_number(struct digest *d, unsigned n)
{
	char text[32];

	snprintf(text, sizeof(text), "content %u", n);
	digest_of(d, DIGEST_SHA256, text, strlen(text));
}

/* Put an empty table in place, and open it. */
static int fresh(struct quota_head *h)
{
	struct quota_memory none = { 0 };

	*h = (struct quota_head){ .version = 7 };
	memcpy(h->group, GROUP, sizeof(GROUP));
	if (quota_table_publish(st, h, &none) < 0)
		return -1;
	return quota_table_open(st, GROUP);
}

static void test_life(void)
{
	struct quota_head h, there;
	struct digest d;
	int fd;

	ok(quota_table_open(st, GROUP) < 0 && errno == ENOENT, "at first there is no table");
	fd = fresh(&h);
	ok(fd >= 0, "one is made");
	is_int(quota_table_read(fd, &there), 1, "and read");
	is_str(there.group, GROUP, "with the group's name");
	ok(there.version == 7 && there.used == 0 && there.entries == 0 && there.slots == QUOTA_BUCKET && !there.intent.pending,
	   "its version, and nothing in it");
	there.used = 5;
	is_int(quota_table_write(fd, &there), 0, "the header is changed");
	ok(quota_table_read(fd, &h) == 1 && h.used == 5, "and read again");
	is_int(fresh(&h) >= 0, 1, "another table takes its place");
	is_int(quota_table_read(fd, &there), 0, "who has the old one open is told");
	close(fd);
	digest_number(&d, 0);
	ok(quota_table_open(st, "team/blue") < 0, "another group has none");
}

/* Change the table as store/quota_hold.c does. */
static void set(int *fd, struct quota_head *h, const unsigned char key[QUOTA_KEY], uint32_t count, uint64_t size)
{
	struct quota_place p;
	struct quota_record r;

	if (quota_table_find(*fd, h, key, &p) < 0)
		abort();
	if (p.fresh && count && quota_table_full(h)) {
		struct quota_memory m = { 0 };

		if (quota_table_load(*fd, h, &m) < 0 || quota_table_publish(st, h, &m) < 0)
			abort();
		quota_memory_release(&m);
		close(*fd);
		*fd = quota_table_open(st, GROUP);
		if (quota_table_read(*fd, h) != 1 || quota_table_find(*fd, h, key, &p) < 0)
			abort();
	}
	if (p.fresh && !count)
		return;
	r = p.r;
	h->used += (count ? size : 0) - (p.r.count ? p.r.size : 0);
	h->entries += (count > 0) - (uint64_t)(p.r.count > 0);
	h->filled += p.fresh;
	r.count = count;
	r.size = count ? size : QUOTA_GONE;
	if (quota_table_put(*fd, p.slot, &r) < 0 || quota_table_write(*fd, h) < 0)
		abort();
}

static void test_many(void)
{
	static uint32_t count[CONTENTS];
	static uint64_t size[CONTENTS];
	uint64_t used = 0, entries = 0;
	unsigned wrong = 0, i, step;
	struct quota_memory m = { 0 };
	unsigned char key[QUOTA_KEY];
	struct quota_place p;
	struct quota_head h;
	struct digest d;
	int fd = fresh(&h);

	quota_table_read(fd, &h);
	srand(5);
	for (step = 0; step < 20000; step++) {
		/* The window moves: contents come, and go for good, so that their records are used by others. */
		i = (unsigned)(rand() % 150 + (int)(step / 45)) % CONTENTS;
		digest_number(&d, i);
		quota_key(&d, key);
		count[i] = (uint32_t)(rand() % 3);
		size[i] = (uint64_t)rand() % 1000;
		set(&fd, &h, key, count[i], size[i]);
	}
	for (i = 0; i < CONTENTS; i++) {
		int found;

		digest_number(&d, i);
		quota_key(&d, key);
		found = quota_table_find(fd, &h, key, &p);
		wrong += count[i] ? found != 1 || p.r.count != count[i] || p.r.size != size[i] : found == 1 && p.r.count != 0;
		used += count[i] ? size[i] : 0;
		entries += count[i] > 0;
	}
	is_int((long)wrong, 0, "after many changes each record is as a plain list says");
	ok(h.used == used && h.entries == entries, "and so are the sums");
	ok(h.slots >= 4 * QUOTA_BUCKET && h.filled <= h.slots, "it has grown");
	is_int(quota_table_load(fd, &h, &m), 0, "all of it is read");
	ok(m.used == used && m.entries == entries, "with the same sums");
	quota_memory_release(&m);
	close(fd);
}

/* No content has such digests, but links may name them. */
static void test_zeros(void)
{
	static const char zeros[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
	unsigned char key[QUOTA_KEY], other[QUOTA_KEY];
	struct quota_place p;
	struct quota_head h;
	struct digest d;
	unsigned i, wrong = 0;
	int fd = fresh(&h);

	quota_table_read(fd, &h);
	is_int(digest_parse(&d, zeros, strlen(zeros)), 0, "a digest of zeros");
	quota_key(&d, key);
	is_int(quota_table_find(fd, &h, key, &p), 0, "is not there");
	set(&fd, &h, key, 1, 0);
	for (i = 0; i < 20; i++) {
		digest_number(&d, i);
		quota_key(&d, other);
		set(&fd, &h, other, 1, i);
	}
	is_int(quota_table_find(fd, &h, key, &p), 1, "is there");
	set(&fd, &h, key, 0, 0);
	for (i = 0; i < 20; i++) {
		digest_number(&d, i);
		quota_key(&d, other);
		wrong += quota_table_find(fd, &h, other, &p) != 1 || p.r.size != i;
	}
	is_int((long)wrong, 0, "and when it has gone, what lies behind it is found");
	close(fd);
}

static void test_damage(void)
{
	unsigned char key[QUOTA_KEY];
	struct quota_place p;
	struct quota_head h, there;
	struct digest d;
	int fd = fresh(&h), i;

	quota_table_read(fd, &h);
	digest_number(&d, 1);
	quota_key(&d, key);
	is_int(ftruncate(fd, QUOTA_RECORDS_AT + 100), 0, "a table loses its end");
	ok(quota_table_find(fd, &h, key, &p) < 0 && errno == EUCLEAN, "that is noticed");
	there = h;
	for (i = 0; i < 6; i++) {
		h = there;
		if (i == 0)
			h.magic++;
		else if (i == 1)
			h.slots = 0;
		else if (i == 2)
			h.slots = 3 * QUOTA_BUCKET;
		else if (i == 3)
			h.slots = UINT64_C(1) << 60;
		else if (i == 4)
			h.filled = h.slots + 1;
		else
			memset(h.group, 'x', sizeof(h.group));
		quota_table_write(fd, &h);
		is_int(quota_table_read(fd, &h), 0, "a header that is none: %d", i);
	}
	is_int(ftruncate(fd, 10), 0, "a table loses its header");
	is_int(quota_table_read(fd, &h), 0, "it is none");
	close(fd);
}

static void test_room(void)
{
	struct quota_memory m = { 0 };
	struct digest d;
	unsigned i;

	for (i = 0; i < 170; i++) {
		digest_number(&d, i);
		quota_memory_add(&m, &d, 1);
	}
	ok(m.slots == 256 && m.filled == 170, "a table that is nearly full");
	quota_memory_room(&m);
	ok(m.slots == 512 && m.filled == 170 && m.entries == 170 && m.used == 170, "is made twice as large, with all that it has");
	quota_memory_room(&m);
	is_int(m.slots, 512, "one with room is not");
	quota_memory_release(&m);
	quota_memory_room(&m);
	is_int(m.slots, 0, "nor an empty one");
}

int main(void)
{
	char dir[] = "/tmp/berth-test-quota-XXXXXX";
	struct store_options so = { .root = dir };
	struct err e = ERR_INIT;

	if (!mkdtemp(dir))
		return 1;
	if (layout_prepare(&so, &e) < 0 || store_open(&st, &so, &e) < 0)
		return 1;
	test_life();
	test_room();
	test_many();
	test_zeros();
	test_damage();
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	err_release(&e);
	return done_testing();
}
