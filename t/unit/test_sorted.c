/* SPDX-License-Identifier: Apache-2.0 */
/* sorted: sets of names on disk, against a plain list. */

#include "store/sorted.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/layout.h"
#include "tap.h"

#define SET "berth/index/set"
#define MANY 3000

static struct store *st;
static struct err e = ERR_INIT;

struct seen {
	struct names names;
	size_t limit;
};

static int visit(void *arg, const char *name, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	names_add(&s->names, name, strlen(name));
	return s->names.count == s->limit ? 7 : 0;
}

/* What a walk gives, as "a b c ". */
static const char *walked(const char *after, size_t limit, int *rc)
{
	static struct str text = STR_INIT;
	struct seen s = { .limit = limit };
	size_t i;

	str_reset(&text);
	*rc = sorted_walk(st, SET, after, visit, &s, &e);
	for (i = 0; i < s.names.count; i++)
		str_addf(&text, "%s ", s.names.v[i]);
	names_release(&s.names);
	return text.buf;
}

static void test_few(void)
{
	int rc;

	is_str(walked("", 100, &rc), "", "an empty set has no names");
	is_int(rc, 0, "and its walk comes to an end");
	is_int(sorted_add(st, SET, "b", &e), 0, "a name is added");
	sorted_add(st, SET, "a", &e);
	sorted_add(st, SET, "b", &e);
	sorted_add(st, SET, "a/b", &e);
	sorted_add(st, SET, "a-b", &e);
	is_str(walked("", 100, &rc), "a a-b a/b b ", "names come in byte order, each once");
	is_str(walked("a-b", 100, &rc), "a/b b ", "from behind one of them");
	is_str(walked("a.", 100, &rc), "a/b b ", "or from behind what isn't in the set");
	is_str(walked("b", 100, &rc), "", "behind the last there is nothing");
	is_str(walked("", 2, &rc), "a a-b ", "no further than wanted");
	is_int(rc, 7, "and what stopped it comes back");
	is_int(sorted_remove(st, SET, "a/b", &e), 0, "a name is taken out");
	is_int(sorted_remove(st, SET, "none", &e), 0, "one that isn't there as well");
	is_str(walked("", 100, &rc), "a a-b b ", "and what is left is in order");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Enough for many splits, in an order that is none. */
static void test_many(void)
{
	cleanup_names struct names want = NAMES_INIT;
	struct seen s = { .limit = 0 };
	char name[32];
	size_t i, same = 0;

	sorted_build(st, SET, &want, &e);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%zu", i * 7919 % MANY);
		names_add(&want, name, strlen(name));
		if (sorted_add(st, SET, name, &e) < 0)
			ok(false, "%s is added", name);
	}
	qsort(want.v, want.count, sizeof(*want.v), by_name);
	is_int(sorted_walk(st, SET, "", visit, &s, &e), 0, "a big set is walked");
	for (i = 0; i < want.count && i < s.names.count; i++)
		same += strcmp(want.v[i], s.names.v[i]) == 0;
	ok(same == want.count && s.names.count == want.count, "and every name is there once and in order");
	names_release(&s.names);
	for (i = 0; i < want.count; i += 2)
		sorted_remove(st, SET, want.v[i], &e);
	sorted_walk(st, SET, want.v[100], visit, &s, &e);
	ok(s.names.count == (want.count - 101) / 2 + 1 && strcmp(s.names.v[0], want.v[101]) == 0, "half of them are taken out again");
	names_release(&s.names);
	is_int(sorted_build(st, SET, &want, &e), 0, "a set is built at once");
	sorted_walk(st, SET, "", visit, &s, &e);
	is_int((intmax_t)s.names.count, (intmax_t)want.count, "with all its names");
	names_release(&s.names);
}

/* The path of the only leaf of a set, from the second line of its root. */
static void only_leaf(struct str *path)
{
	char root[64] = "";

	os_read_file(st->dirfd, SET "/root", root, sizeof(root) - 1);
	str_addf(path, SET "/%ld", strtol(strchr(root, '\n') + 1, NULL, 10));
}

/* What somebody wrote last was cut off, or was lost and is zeros: what comes after must not be lost with it. */
static void test_broken_end(void)
{
	static const struct {
		const char *bytes, *title;
		size_t len;
	} ends[] = {
		{ "ha", "half a line", 2 },
		{ "\0\0\0", "lost bytes", 3 },
		{ "z\nb\nm\n", "names out of order, one of them twice", 6 },
	};
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		cleanup_names struct names one = NAMES_INIT;
		cleanup_str struct str leaf = STR_INIT;
		cleanup_fd int fd = -1;
		int rc;

		names_add(&one, "m", 1);
		sorted_build(st, SET, &one, &e);
		only_leaf(&leaf);
		fd = os_open(st->dirfd, leaf.buf, O_WRONLY | O_APPEND, 0);
		os_write_full(fd, ends[i].bytes, ends[i].len);
		is_int(sorted_add(st, SET, "q", &e), 0, "a name is added behind %s", ends[i].title);
		sorted_add(st, SET, "a", &e);
		is_str(walked("", 10, &rc), i == 2 ? "a b m q z " : "a m q ", "and it is there, in order, with the others");
	}
}

static void test_damage(void)
{
	cleanup_names struct names none = NAMES_INIT;
	int rc;

	os_remove_tree(st->dirfd, SET "/root");
	os_write_file(st->dirfd, SET "/root", "1 x\n", 4, false);
	walked("", 10, &rc);
	ok(rc < 0 && strstr(e.cause, "corrupt"), "a corrupt set says so");
	names_add(&none, "again", 5);
	is_int(sorted_build(st, SET, &none, &e), 0, "and is built again");
	is_str(walked("", 10, &rc), "again ", "whole");
}

/* What a disk may do to the root of a set that has no names any more. */
static void test_damage_of_nothing(void)
{
	static const struct names none = NAMES_INIT;
	int rc;

	os_remove_tree(st->dirfd, SET "/root");
	os_write_file(st->dirfd, SET "/root", "rubbish\n", 8, false);
	is_int(sorted_build(st, SET, &none, &e), 0, "a corrupt set of no names is built again");
	is_str(walked("", 10, &rc), "", "as one without names");
	is_int(rc, 0, "its walk comes to an end");
	is_int(sorted_add(st, SET, "first", &e), 0, "and a name is added to it");
	is_str(walked("", 10, &rc), "first ", "and is there");
	os_remove_tree(st->dirfd, SET "/root");
	os_mkdirs(st->dirfd, SET "/root/inside");
	is_int(sorted_build(st, SET, &none, &e), 0, "so is one with a directory in the place of its root");
	is_int(sorted_add(st, SET, "second", &e), 0, "and a name is added to that");
}

int main(void)
{
	char dir[] = "/tmp/berth-test-sorted-XXXXXX";
	struct store_options so = { .root = dir };

	if (!mkdtemp(dir))
		return 1;
	if (layout_prepare(&so, &e) < 0 || store_open(&st, &so, &e) < 0)
		return 1;
	os_mkdirs(st->dirfd, SET);
	test_few();
	test_many();
	test_broken_end();
	test_damage();
	test_damage_of_nothing();
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	err_release(&e);
	return done_testing();
}
