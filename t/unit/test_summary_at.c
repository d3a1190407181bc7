/* SPDX-License-Identifier: Apache-2.0 */
/* summary_at: places in the middle of a summary, in both orders and directions, for rows of one length and of many. */

#include "store/summary_at.h"
#include "store/summary_write.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/tree.h"
#include "store/layout.h"
#include "tap.h"

#define PATH "berth/index/summary"
#define ROWS 3000
#define KEY_MAX 160
#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct store *st;
static struct err e = ERR_INIT;
static char keys[ROWS][KEY_MAX];

/* Row i is the i-th by its key, and by its push. uneven: those of the second half are long. */
static void build(size_t count, bool uneven)
{
	struct summary_row *rows = xcalloc(count + 1, sizeof(*rows));

	for (size_t i = 0; i < count; i++) {
		snprintf(keys[i], KEY_MAX, "%c%0*zu", i < count / 2 ? 'a' : 'b', uneven && i >= count / 2 ? 140 : 6, i);
		rows[i] = (struct summary_row){ .pushed = 1000 + i, .key = keys[i], .key_len = strlen(keys[i]), .digest = DIGEST, .digest_len = strlen(DIGEST),
						.text = "text", .text_len = 4 };
	}
	if (summary_build(st, PATH, rows, count, &e) < 0)
		abort();
	free(rows);
}

struct going {
	uint64_t skip, left;
	bool found;
	size_t number;
};

static int visit(void *arg, const struct summary_row *row, struct err *ignored)
{
	struct going *g = arg;

	(void)ignored;
	if (g->skip) {
		g->skip--;
		return 0;
	}
	if (!g->found)
		g->number = strtoul(row->key + 1, NULL, 10);
	g->found = true;
	return 1;
}

/* How far from `before` rows the walk begins, which may be behind the last one. */
static size_t off_by(struct summary *s, enum summary_order by, bool desc, size_t before)
{
	struct summary_place at;
	struct going g = { 0 };
	size_t place;

	summary_at(s, by, desc, before, &at);
	g.skip = at.skip;
	if (summary_walk(s, by, desc, at.begins ? &at.after : NULL, visit, &g, &e) < 0)
		abort();
	if (!g.found)
		return before < summary_count(s) ? summary_count(s) - before : 0;
	place = desc ? summary_count(s) - 1 - g.number : g.number;
	return place > before ? place - before : before - place;
}

static size_t worst(size_t count, bool uneven)
{
	cleanup_summary struct summary s = SUMMARY_INIT;
	size_t most = 0;

	build(count, uneven);
	if (summary_open(st, PATH, &s, &e) != 1)
		abort();
	for (size_t before = 0; before < count; before += count > 100 ? 37 : 1)
		for (int i = 0; i < 4; i++) {
			size_t off = off_by(&s, i & 1 ? SUMMARY_BY_KEY : SUMMARY_BY_PUSH, i & 2, before);

			most = off > most ? off : most;
		}
	return most;
}

int main(void)
{
	char dir[] = "/tmp/berth-summary.XXXXXX";
	struct store_options o = { .root = dir };
	struct summary_place at;
	struct summary none = SUMMARY_INIT;
	size_t off;

	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&st, &o, &e) < 0 || os_mkdirs(st->dirfd, "berth/index") < 0)
		return 1;
	memset(st->epoch, 'a', STORE_EPOCH_LEN);

	summary_at(&none, SUMMARY_BY_KEY, false, 5, &at);
	ok(!at.begins && at.skip == 0, "in a summary without rows each place is the beginning");
	ok(worst(1, false) == 0, "of one row, the place is exact");
	ok(worst(50, false) == 0 && worst(50, true) < 15, "of rows within one block it is, where they are of one length");
	off = worst(ROWS, false);
	ok(off <= 2, "of many it is off by two rows at most where they are of one length");
	off = worst(ROWS, true);
	ok(off < ROWS / 4, "and by less than a quarter where half of them are twice as long: %zu", off);

	{
		cleanup_summary struct summary s = SUMMARY_INIT;

		if (summary_open(st, PATH, &s, &e) != 1)
			abort();
		ok(off_by(&s, SUMMARY_BY_KEY, false, 0) == 0 && off_by(&s, SUMMARY_BY_KEY, true, 0) == 0, "the beginning is exact, from either end");
		ok(off_by(&s, SUMMARY_BY_KEY, false, ROWS + 5) == 0, "beyond the end there is nothing");
		s.index_len[0] = s.head.len + 1;
		summary_at(&s, SUMMARY_BY_KEY, false, 10, &at);
		ok(!at.begins, "an index that is longer than the file is none");
	}
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	err_release(&e);
	return done_testing();
}
