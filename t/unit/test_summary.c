/* SPDX-License-Identifier: Apache-2.0 */
/* summary: rows in two orders, against a plain list; what a kill leaves of a line, and what is corrupt. */

#include "store/summary.h"
#include "store/summary_note.h"
#include "store/summary_write.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/layout.h"
#include "tap.h"

#define PATH "berth/index/summary"
#define KEYS 400
#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct store *st;
static struct err e = ERR_INIT;
static struct digest digest;

/* What there is, by number. */
static struct {
	bool there;
	uint64_t pushed;
} model[KEYS];
static uint64_t clock_now_is = 1000;

/* The key of each number, and the number of each key, by its digits: they are asked for millions of times. */
static char keys[KEYS][16];
static size_t numbers[KEYS];

static void make_keys(void)
{
	for (size_t i = 0; i < KEYS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "tag-%03zu", i * 7919 % KEYS);
		numbers[i * 7919 % KEYS] = i;
	}
}

static const char *key_of(size_t i)
{
	return keys[i];
}

static size_t number_of(const char *key, size_t len)
{
	size_t digits = len == 7 ? (size_t)(key[4] - '0') * 100 + (size_t)(key[5] - '0') * 10 + (size_t)(key[6] - '0') : KEYS;

	if (digits >= KEYS || memcmp(key, keys[numbers[digits]], len) != 0)
		abort();
	return numbers[digits];
}

static struct summary_row row_of(size_t i)
{
	const char *key = key_of(i);

	return (struct summary_row){
		.pushed = model[i].pushed, .key = key, .key_len = strlen(key), .digest = DIGEST, .digest_len = strlen(DIGEST), .text = "mx b5", .text_len = 5,
		.counts = { (unsigned)i % 3, 0, 1, 0 },
	};
}

/* A change, or the part of it that a kill leaves: 0 all, 1 without its end, 2 with half of its end. */
static void change(size_t i, bool there, int part)
{
	cleanup_str struct str before = STR_INIT, after = STR_INIT;
	struct summary_writer w;
	struct summary_row row;

	summary_doubt(&before, key_of(i), model[i].there);
	if (summary_begin(st, PATH, &before, &w, &e) < 0)
		abort();
	model[i].there = there;
	model[i].pushed = there ? ++clock_now_is / 3 : 0;
	row = row_of(i);
	if (there)
		summary_set(&after, &row);
	else
		summary_gone(&after, key_of(i));
	if (part == 2)
		str_cut(&after, after.len / 2);
	if (part == 1)
		summary_leave(&w);
	else
		summary_end(&w, &after);
}

static int look(void *arg, const char *key, size_t len, struct str *line, struct err *err)
{
	size_t i = number_of(key, len);
	struct summary_row row = row_of(i);

	(void)err;
	++*(int *)arg;
	if (model[i].there)
		summary_add_row(line, &row);
	return model[i].there;
}

struct seen {
	struct summary_row v[KEYS];
	char keys[KEYS][16];
	size_t count, max;
};

static int visit(void *arg, const struct summary_row *row, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	if (s->count == s->max)
		return 7;
	s->v[s->count] = *row;
	memcpy(s->keys[s->count], row->key, row->key_len);
	s->keys[s->count][row->key_len] = '\0';
	s->v[s->count].key = s->keys[s->count];
	s->count++;
	return 0;
}

/* Whether all pages of `max` rows give what there is, in order. */
static const char *compare(enum summary_order by, bool desc, size_t max)
{
	static struct seen page, all;
	size_t i, want = 0;

	all.count = 0;
	for (;;) {
		struct summary s = SUMMARY_INIT;
		int looked = 0, rc;

		page = (struct seen){ .max = max };
		if (summary_open(st, PATH, &s, &e) != 1)
			return "it does not open";
		if (summary_settle(&s, look, &looked, &e) < 0)
			return "it is not settled";
		rc = summary_walk(&s, by, desc, all.count ? &all.v[all.count - 1] : NULL, visit, &page, &e);
		if (rc != 0 && rc != 7)
			return "the walk fails";
		for (i = 0; i < page.count && all.count < KEYS; i++) {
			memcpy(all.keys[all.count], page.keys[i], sizeof(page.keys[i]));
			all.v[all.count] = page.v[i];
			all.v[all.count].key = all.keys[all.count];
			all.count++;
		}
		want = 0;
		for (i = 0; i < KEYS; i++)
			want += model[i].there;
		if (summary_count(&s) != want)
			return "the count is wrong";
		summary_close(&s);
		if (rc == 0)
			break;
	}
	if (all.count != want)
		return "another number of rows";
	for (i = 0; i < all.count; i++) {
		size_t n = number_of(all.v[i].key, all.v[i].key_len);

		if (!model[n].there || model[n].pushed != all.v[i].pushed || all.v[i].counts[0] != n % 3 || all.v[i].counts[2] != 1)
			return "a row is not as it has to be";
		if (i && (summary_cmp(by, &all.v[i - 1], &all.v[i]) < 0) == desc)
			return "the order is wrong";
	}
	return "";
}

static void compare_all(const char *what)
{
	const char *fault = "";

	for (int by = 0; by < 2 && !*fault; by++)
		for (int desc = 0; desc < 2 && !*fault; desc++)
			for (size_t max = 1; max <= KEYS && !*fault; max = max * 11 + 2)
				fault = compare((enum summary_order)by, desc, max);
	is_str(fault, "", "%s", what);
}

static int by_key(const void *a, const void *b)
{
	return summary_cmp(SUMMARY_BY_KEY, a, b);
}

static void build(void)
{
	struct summary_row rows[KEYS];
	size_t count = 0;

	for (size_t i = 0; i < KEYS; i++) {
		if (!model[i].there)
			continue;
		rows[count++] = row_of(i);
	}
	qsort(rows, count, sizeof(*rows), by_key);
	is_int(summary_build(st, PATH, rows, count, &e), 0, "it is written anew");
}

static void test_changes(void)
{
	compare_all("an empty one");
	for (size_t round = 0; round < 6; round++) {
		for (int i = 0; i < 150; i++) {
			size_t n = (size_t)random() % KEYS;

			change(n, random() % 3 != 0 || !model[n].there, random() % 10 ? 0 : 1 + random() % 2);
		}
		compare_all("after changes, some of them cut short");
		build();
		compare_all("after it was written anew");
	}
}

static unsigned counts_of(bool *recount)
{
	cleanup_summary struct summary s = SUMMARY_INIT;
	struct seen page = { .max = 1 };
	int looked = 0;

	if (summary_open(st, PATH, &s, &e) != 1 || summary_settle(&s, look, &looked, &e) < 0)
		abort();
	summary_walk(&s, SUMMARY_BY_KEY, false, NULL, visit, &page, &e);
	*recount = page.v[0].recount;
	return page.v[0].counts[1];
}

static void say(void (*what)(struct str *lines))
{
	cleanup_str struct str lines = STR_INIT, none = STR_INIT;
	struct summary_writer w;

	what(&lines);
	if (summary_begin(st, PATH, &lines, &w, &e) < 0)
		abort();
	summary_end(&w, &none);
}

static void doubt(struct str *lines)
{
	summary_doubt_refer(lines, &digest);
}

static void doubt_all(struct str *lines)
{
	summary_doubt_refer(lines, NULL);
}

static void refer(struct str *lines)
{
	summary_refer(lines, &digest, 1);
}

/* each row once more, so that it has those that refer to it now */
static void write_rows(void)
{
	for (size_t i = 0; i < KEYS; i++)
		if (model[i].there)
			change(i, true, 0);
}

static void test_refers(void)
{
	bool recount;

	build();
	say(doubt);
	say(refer);
	is_int(counts_of(&recount), 1, "one more that refers to a digest counts");
	ok(!recount, "for certain");
	say(doubt);
	counts_of(&recount);
	ok(recount, "one that may have come has to be looked for");
	say(doubt);
	say(refer);
	counts_of(&recount);
	ok(recount, "also after another one");
	write_rows();
	is_int(counts_of(&recount), 0, "a row that was written since has those that were there then");
	ok(!recount, "for certain");
	say(doubt_all);
	say(doubt);
	say(refer);
	counts_of(&recount);
	ok(recount, "those of all digests may have changed");
	write_rows();
	counts_of(&recount);
	ok(!recount, "but of no row that was written since");
}

static int opens(void)
{
	cleanup_summary struct summary s = SUMMARY_INIT;

	return summary_open(st, PATH, &s, &e);
}

static void test_corrupt(void)
{
	cleanup_str struct str whole = STR_INIT;
	struct summary_writer w;
	size_t len;

	build();
	is_int(store_read(st, PATH, 1 << 20, &whole), 1, "a file");
	for (len = 0; len < whole.len; len += 97) {
		store_replace(st, PATH, whole.buf, len, false);
		if (opens() != 0)
			break;
	}
	ok(len >= whole.len, "of which a part is missing is none");
	for (len = 0; len < 150; len++) {
		cleanup_str struct str bad = STR_INIT;
		struct summary s = SUMMARY_INIT;
		struct seen page = { .max = KEYS };

		str_add(&bad, whole.buf, whole.len);
		bad.buf[len]++;
		store_replace(st, PATH, bad.buf, bad.len, false);
		if (summary_open(st, PATH, &s, &e) == 1)
			summary_walk(&s, SUMMARY_BY_KEY, false, NULL, visit, &page, &e);
		summary_close(&s);
	}
	ok(true, "a byte that is wrong is an error or none");
	unlinkat(st->dirfd, PATH, 0);
	is_int(opens(), 0, "no file");
	is_int(summary_begin(st, PATH, &whole, &w, &e), 0, "nothing is said to none");
	is_int(w.fd, -1, "nor is one made");
	mkdirat(st->dirfd, PATH, 0755);
	is_int(opens(), 0, "a directory is none");
	is_int(summary_begin(st, PATH, &whole, &w, &e), 0, "and nothing is said to it");
	unlinkat(st->dirfd, PATH, AT_REMOVEDIR);
	mkfifoat(st->dirfd, PATH, 0644);
	is_int(opens(), 0, "a FIFO is none");
	is_int(summary_begin(st, PATH, &whole, &w, &e), 0, "and is removed");
	unlinkat(st->dirfd, PATH, 0);
	build();
	st->epoch[0] ^= 1;
	is_int(opens(), 0, "one of another epoch is none");
	st->epoch[0] ^= 1;
	is_int(opens(), 1, "one of this epoch is one");
}

/* What notes say of a row. */
struct noted {
	const char *key;
	uint64_t pulled, bytes;
	bool summed, found;
};

static int take_noted(void *arg, const struct summary_row *row, struct err *err)
{
	struct noted *n = arg;

	(void)err;
	if (strlen(n->key) != row->key_len || memcmp(n->key, row->key, row->key_len) != 0)
		return 0;
	*n = (struct noted){ n->key, row->pulled, row->bytes, row->summed, true };
	return 1;
}

static struct noted noted(const char *key)
{
	cleanup_summary struct summary s = SUMMARY_INIT;
	struct noted n = { .key = key };

	if (summary_open(st, PATH, &s, &e) != 1 || summary_walk(&s, SUMMARY_BY_KEY, false, NULL, take_noted, &n, &e) < 0)
		abort();
	return n;
}

static void append(const char *text, size_t len)
{
	cleanup_fd int fd = os_open_file(st->dirfd, PATH, O_WRONLY | O_APPEND, 0);

	if (fd < 0 || os_write_full(fd, text, len) < 0)
		abort();
}

static uint64_t tail_size(void)
{
	cleanup_summary struct summary s = SUMMARY_INIT;

	return summary_open(st, PATH, &s, &e) == 1 ? s.tail.len : 0;
}

static void note_bytes(uint64_t bytes)
{
	cleanup_str struct str line = STR_INIT;

	summary_add_note(&line, SUMMARY_BYTES, bytes, DIGEST);
	summary_note_lines(st, PATH, &line);
}

static void test_notes(void)
{
	static const char torn[] = "\n!p 00000000000000\0ff tag-000 ;\n\n=00000000\00000000 tag-000 " DIGEST " 9 9 9 9 b9 ;\n";
	struct summary_carry carry;
	size_t i = number_of("tag-000", 7);

	change(i, true, 0);
	build();
	is_int((int)noted("tag-000").pulled, 0, "nothing is noted");
	summary_note_pull(st, PATH, "tag-000", 1000);
	summary_note_pull(st, PATH, "tag-000", 900);
	summary_note_pull(st, PATH, "tag-00", 5000);
	is_int((int)noted("tag-000").pulled, 1000, "the latest pull of a tag counts");
	is_int((int)noted("tag-001").pulled, 0, "and of no other one");
	note_bytes(77);
	ok(noted("tag-000").summed && noted("tag-000").bytes == 77, "bytes are noted of a digest");
	change(i, true, 0);
	ok(!noted("tag-000").summed && noted("tag-000").pulled == 1000, "a later row has its own, and keeps its pulls");
	note_bytes(78);
	is_int((int)noted("tag-000").bytes, 78, "until they are noted again");
	append(torn, sizeof(torn) - 1);
	ok(noted("tag-000").pulled == 1000 && noted("tag-000").found, "a line with a zero counts for nothing");
	summary_carry_begin(st, PATH, false, &carry);
	summary_note_pull(st, PATH, "tag-000", 2000);
	build();
	is_int((int)noted("tag-000").pulled, 0, "a file that is written anew has no notes");
	summary_carry_end(st, PATH, &carry);
	is_int((int)noted("tag-000").pulled, 2000, "but those of pulls that came meanwhile");
	unlinkat(st->dirfd, PATH, 0);
	summary_note_pull(st, PATH, "tag-000", 3000);
	is_int(opens(), 0, "a pull makes no file");
	summary_carry_begin(st, PATH, true, &carry);
	is_int(opens(), 0, "one that is being written is none");
	summary_note_pull(st, PATH, "tag-000", 3000);
	build();
	summary_carry_end(st, PATH, &carry);
	is_int((int)noted("tag-000").pulled, 3000, "but has pulls noted");
	for (int n = 0; n < 6000; n++)
		summary_note_pull(st, PATH, "tag-001", 4000 + n);
	ok(tail_size() >= SUMMARY_PULLS_MAX && tail_size() < SUMMARY_PULLS_MAX + 100, "pulls are noted up to a size");
	is_int((int)noted("tag-000").pulled, 3000, "and then none is lost of those that are");
	st->local = false;
	build();
	summary_note_pull(st, PATH, "tag-000", 9000);
	is_int((int)noted("tag-000").pulled, 0, "where several machines share the store none is noted");
	st->local = true;
}

int main(void)
{
	char dir[] = "/tmp/berth-summary.XXXXXX";
	struct store_options o = { .root = dir };

	srandom(7);
	make_keys();
	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&st, &o, &e) < 0 || digest_parse(&digest, DIGEST, strlen(DIGEST)) < 0)
		return 1;
	memset(st->epoch, 'a', STORE_EPOCH_LEN);
	build();
	test_changes();
	test_refers();
	test_notes();
	test_corrupt();
	err_release(&e);
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
