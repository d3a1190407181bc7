/* SPDX-License-Identifier: Apache-2.0 */
/* What names on disk say: the time of a tag's push, and the marks of what was deleted or moved. */

#include "store/undo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/tree.h"
#include "store/clock.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/pushed.h"
#include "store/store_path.h"
#include "store/tag.h"
#include "names.h"
#include "tap.h"

#define USEC UINT64_C(1000000)
#define DAY (86400 * USEC)

static struct store *st;
static struct err e = ERR_INIT;

static struct digest digest_of_text(const char *s, enum digest_alg alg)
{
	struct digest d;

	digest_of(&d, alg, s, strlen(s));
	return d;
}

static size_t entries(const char *dir)
{
	cleanup_names struct names names = NAMES_INIT;

	os_dir_list(st->dirfd, dir, DIR_ALL, &names);
	return names.count;
}

#define CURRENT "docker/registry/v2/repositories/app/_manifests/tags/v1/current"

static void set_tag(const struct name *n, const struct tag *t, const char *content)
{
	struct digest d = digest_of_text(content, DIGEST_SHA256);

	if (lock_collector(st, &e) < 0 || tag_set(st, n, t, &d, &e) < 0)
		abort();
	unlock_collector(st);
}

static uint64_t pushed(const struct name *n, const struct tag *t)
{
	uint64_t usec;

	return tag_pushed(st, n, t, true, &usec, &e) == 1 ? usec : 0;
}

/* Gives the only name of a time another time, with a file as old as that. */
static void rename_time(uint64_t usec)
{
	cleanup_str struct str from = STR_INIT, to = STR_INIT;
	cleanup_names struct names names = NAMES_INIT;
	struct timespec then = { .tv_sec = (time_t)(usec / USEC) };
	size_t i;

	os_dir_list(st->dirfd, CURRENT, DIR_ALL, &names);
	for (i = 0; i < names.count && !pushed_is_name(names.v[i]); i++)
		;
	if (i == names.count)
		abort();
	path_in(&from, CURRENT, names.v[i]);
	path_in(&to, CURRENT, STORE_PUSHED);
	clock_add_hex(&to, usec);
	if (renameat(st->dirfd, from.buf, st->dirfd, to.buf) < 0)
		abort();
	utimensat(st->dirfd, to.buf, (const struct timespec[]){ then, then }, 0);
}

static void age_link(uint64_t usec)
{
	struct timespec then = { .tv_sec = (time_t)(usec / USEC) };

	if (utimensat(st->dirfd, CURRENT "/" STORE_LINK, (const struct timespec[]){ then, then }, 0) < 0)
		abort();
}

static void test_pushed(void)
{
	struct name n = name_of("app");
	struct tag t = tag_of("v1"), none = tag_of("none");
	uint64_t now, first, second, usec;

	os_mkdirs(st->dirfd, "docker/registry/v2/repositories/app/_manifests/tags");
	ok(clock_now(st, &now, &e) == 0 && now > 50 * 365 * DAY, "there is a present time");
	ok(tag_pushed(st, &n, &t, false, &usec, &e) == 0 && usec == 0, "a tag that is not there has no time");
	set_tag(&n, &t, "one");
	first = pushed(&n, &t);
	ok(first >= now && first - now < DAY, "a new tag has the present time");
	ok(entries(CURRENT) == 2, "as one name beside the link");
	set_tag(&n, &t, "one");
	second = pushed(&n, &t);
	ok(second > first, "the same digest again is a push");
	set_tag(&n, &t, "two");
	ok(pushed(&n, &t) > second && entries(CURRENT) == 2, "so is a move, and no older name is left");

	rename_time(now + DAY);
	ok(pushed(&n, &t) == now + DAY, "the name counts");
	set_tag(&n, &t, "two");
	ok(pushed(&n, &t) == now + DAY + 1, "where the clock is behind a push gets a microsecond more than what stands");
	ok(tag_pushed(st, &n, &none, false, &usec, &e) == 0, "another tag has none");
}

static void test_not_written(void)
{
	struct name n = name_of("app");
	struct tag t = tag_of("v1");
	uint64_t now, then;

	clock_now(st, &now, &e);
	rename_time(now - 40 * DAY);
	age_link(now - 40 * DAY);
	then = pushed(&n, &t);
	ok(then == now - 40 * DAY, "a tag keeps its time");
	age_link(now - 41 * DAY);
	ok(pushed(&n, &t) == then, "whatever the link's times become: older");
	age_link(now - 40 * DAY + 60 * USEC);
	ok(pushed(&n, &t) == then, "or somewhat younger");
	age_link(now - 3 * DAY);
	ok(pushed(&n, &t) / USEC == (now - 3 * DAY) / USEC, "another registry has moved the link since: its time counts");
	ok(entries(CURRENT) == 3, "and is written down");
	age_link(now - 2 * DAY);
	ok(pushed(&n, &t) / USEC == (now - 2 * DAY) / USEC, "also if it moves it once more");
	set_tag(&n, &t, "three");
	ok(pushed(&n, &t) >= now && entries(CURRENT) == 2, "the next push leaves one name");

	set_tag(&n, &t, "four");
	rename_time(1);
	if (unlinkat(st->dirfd, CURRENT "/pushed-0000000000000001", 0) < 0)
		abort();
	age_link(now - 100 * DAY);
	st->readonly = true;
	ok(pushed(&n, &t) / USEC == (now - 100 * DAY) / USEC && entries(CURRENT) == 1, "without a name the link's time counts, and a reader leaves it at that");
	st->readonly = false;
	ok(pushed(&n, &t) / USEC == (now - 100 * DAY) / USEC && entries(CURRENT) == 2, "who may write does so");
	age_link(now);
	ok(pushed(&n, &t) / USEC == now / USEC, "a change of the link right after it shows");
}

static bool same(const struct undo_mark *a, const struct undo_mark *b)
{
	return a->usec == b->usec && a->kind == b->kind && digest_eq(&a->digest, &b->digest) && strcmp(a->tag.s, b->tag.s) == 0;
}

static bool comes_back(enum undo_kind kind, enum digest_alg alg, const char *tag)
{
	struct undo_mark m = { .usec = UINT64_C(0x0006123456789abc), .kind = kind, .digest = digest_of_text(tag, alg) }, got;
	cleanup_str struct str name = STR_INIT;

	if (*tag)
		m.tag = tag_of(tag);
	undo_name(&m, &name);
	return name.len < 255 && !strchr(name.buf, '/') && undo_parse(&got, name.buf, name.len) == 0 && same(&m, &got);
}

static bool is_mark(const char *name)
{
	struct undo_mark m;

	return undo_parse(&m, name, strlen(name)) == 0;
}

static void test_names(void)
{
	char longest[TAG_MAX_LEN + 1];

	memset(longest, 'x', TAG_MAX_LEN);
	longest[TAG_MAX_LEN] = '\0';
	ok(comes_back(UNDO_MOVED, DIGEST_SHA256, "v1.0"), "a mark is its name");
	ok(comes_back(UNDO_DELETED, DIGEST_SHA512, longest), "also of sha512 and the longest tag");
	ok(comes_back(UNDO_MANIFEST, DIGEST_SHA256, ""), "and without a tag");
	ok(is_mark("0006123456789abc.maAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.v1"), "a name as documented");
	ok(!is_mark(""), "no mark: nothing");
	ok(!is_mark("0006123456789abc"), "no mark: a time alone");
	ok(!is_mark("0006123456789abc."), "no mark: no kind");
	ok(!is_mark("0006123456789abc.m"), "no mark: no algorithm");
	ok(!is_mark("0006123456789aBc.maAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.v1"), "no mark: another digit");
	ok(!is_mark("0006123456789abc.naAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.v1"), "no mark: an unknown kind");
	ok(!is_mark("0006123456789abc.mcAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.v1"), "no mark: an unknown algorithm");
	ok(!is_mark("0006123456789abc.mbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.v1"), "no mark: too short for its algorithm");
	ok(!is_mark("0006123456789abc.maAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB.v1"), "no mark: bits that mean nothing");
	ok(!is_mark("0006123456789abc.maAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "no mark: moved, and no tag");
	ok(!is_mark("0006123456789abc.xaAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.v1"), "no mark: a manifest with a tag");
	ok(!is_mark("0006123456789abc.maAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA."), "no mark: an empty tag");
	ok(!is_mark("0006123456789abc.maAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA..."), "no mark: a tag that is none");
	ok(undo_counts(5 * USEC, 15 * USEC, 10) && !undo_counts(5 * USEC, 16 * USEC, 10), "a mark counts for as long as it is said");
	ok(undo_counts(20 * USEC, 15 * USEC, 0), "and as long as it is in the future");
}

#define MARKS "berth/undo/team/app/_marks"

static size_t marks(const struct name *n)
{
	cleanup_undo_marks struct undo_marks all = UNDO_MARKS_INIT;

	return undo_read(st, n, &all, &e) < 0 ? SIZE_MAX : all.count;
}

/* A mark of that age. */
static void lay(const char *tag, const char *content, uint64_t age, uint64_t now)
{
	struct undo_mark m = { .usec = now - age, .kind = UNDO_MOVED, .digest = digest_of_text(content, DIGEST_SHA256), .tag = tag_of(tag) };
	cleanup_str struct str name = STR_INIT, path = STR_INIT;

	undo_name(&m, &name);
	path_in(&path, MARKS, name.buf);
	os_mkdirs(st->dirfd, MARKS);
	if (os_write_file(st->dirfd, path.buf, "", 0, false) < 0)
		abort();
}

static bool add(const struct name *n, const char *tag, const char *content)
{
	struct digest d = digest_of_text(content, DIGEST_SHA256);
	struct tag t = tag_of(tag);

	return undo_add(st, n, UNDO_MOVED, &t, &d, "", 86400, &e) == 0 && undo_flush(st, n, &e) == 0;
}

static void test_marks(void)
{
	struct name n = name_of("team/app"), other = name_of("team/app/below");
	cleanup_names struct names trashed = NAMES_INIT;
	cleanup_str struct str text = STR_INIT;
	uint64_t now;
	unsigned i;

	clock_now(st, &now, &e);
	ok(marks(&n) == 0, "a repository has no marks at first");
	lay("v1", "old", 2 * DAY, now);
	lay("v1", "one", 3000 * USEC, now);
	lay("v1", "one", 2000 * USEC, now);
	lay("v2", "one", 2000 * USEC, now);
	lay("v1", "two", 2000 * USEC, now);
	lay("v1", "three", 30 * USEC, now);
	lay("v1", "three", 20 * USEC, now);
	ok(marks(&n) == 7, "seven are laid");
	st->marked = 0;
	ok(add(&n, "v3", "of now") && marks(&n) == 6, "the first mark of a process removes what counts no more, and all but the last of a tag and digest");
	lay("v1", "old", 2 * DAY, now);
	for (i = 0; i < 255; i++) {
		str_reset(&text);
		str_addf(&text, "content %u", i);
		if (!add(&n, "v4", text.buf))
			abort();
	}
	ok(marks(&n) == 6 + 1 + 255, "the next ones do not look");
	ok(add(&n, "v5", "of now") && marks(&n) == 6 + 255 + 1, "the 256th does");
	ok(mkdirat(st->dirfd, MARKS "/odd", 0755) == 0 && marks(&n) == 262, "what is no mark is left out");

	ok(undo_copy(st, &n, &other, &e) == 0 && marks(&other) == 262, "all are copied for another name");
	ok(undo_copy(st, &n, &other, &e) == 0 && marks(&other) == 262, "and no more the second time");
	ok(undo_remove(st, &n, &trashed, &e) == 0 && trashed.count == 1 && marks(&n) == 0 && marks(&other) == 262, "they go, and those of a nested repository stay");
	store_purge_all(st, &trashed);
	ok(undo_remove(st, &n, &trashed, &e) == 0 && trashed.count == 1, "a second time nothing is there");
}

int main(void)
{
	char dir[] = "/tmp/berth-undo.XXXXXX";
	struct store_options o = { .root = dir, .flush = true };

	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&st, &o, &e) < 0)
		return 1;
	test_pushed();
	test_not_written();
	test_names();
	test_marks();
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
