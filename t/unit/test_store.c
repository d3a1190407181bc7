/* SPDX-License-Identifier: Apache-2.0 */
/* The store's modules on a directory of their own: links, blobs, uploads, tags, the walk. */

#include "store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/blob.h"
#include "store/catalog.h"
#include "store/layout.h"
#include "store/link.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/store_path.h"
#include "store/tag.h"
#include "store/upload.h"
#include "names.h"
#include "tap.h"

static struct store *st;
static struct err e = ERR_INIT;

static struct digest digest_of_text(const char *s)
{
	struct digest d;

	digest_of(&d, DIGEST_SHA256, s, strlen(s));
	return d;
}

static size_t entries(const char *dir)
{
	struct names names = NAMES_INIT;
	size_t count;

	os_dir_list(st->dirfd, dir, DIR_ALL, &names);
	count = names.count;
	names_release(&names);
	return count;
}

static void test_links(void)
{
	struct digest a = digest_of_text("a"), b = digest_of_text("b"), got;

	is_int(link_ensure(st, "docker/l/one", &a, &e), 0, "a link is made, with the directories above it");
	ok(link_read_in(st, "docker/l/one", &got, &e) == 1 && digest_eq(&got, &a), "and read");
	is_int(link_ensure(st, "docker/l/one", &a, &e), 0, "a link that is there stays");
	is_int(link_ensure(st, "docker/l/one", &b, &e), 0, "one to another digest");
	ok(link_read_in(st, "docker/l/one", &got, &e) == 1 && digest_eq(&got, &b), "is replaced");
	is_int(link_read_in(st, "docker/l/none", &got, &e), 0, "one that isn't is absent");
	os_mkdirs(st->dirfd, "docker/l/corrupt");
	os_write_file(st->dirfd, "docker/l/corrupt/link", "", 0, false);
	is_int(link_read_in(st, "docker/l/corrupt", &got, &e), 0, "so is an empty one");
	is_int(link_ensure(st, "docker/l/corrupt", &b, &e), 0, "which is replaced");
	ok(link_read_in(st, "docker/l/corrupt", &got, &e) == 1 && digest_eq(&got, &b), "by a good one");
	os_mkdirs(st->dirfd, "docker/l/bare");
	is_int(link_ensure(st, "docker/l/bare", &b, &e), 0, "a directory without a link");
	is_int(link_read_in(st, "docker/l/bare", &got, &e), 1, "gets one");
	is_int(entries("berth/tmp"), 0, "nothing temporary is left");
}

static void test_blobs(void)
{
	struct digest d = digest_of_text("content"), other = digest_of_text("x"), target;
	struct name n = name_of("a/b"), m = name_of("c");
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	uint64_t size;

	is_int(blob_write(st, &n, &d, "content", 7, &e), 0, "content is written");
	ok(blob_open(st, &d, &fd, &size, &e) == 1 && size == 7, "and opened");
	os_cleanup_fd(&fd);
	is_int(blob_open(st, &other, &fd, &size, &e), 0, "what was not is absent");
	is_int(blob_find(st, &n, &d, false, &target, &size, &e), 0, "content belongs to no repository by itself");
	path_blob(&path, &d);
	fd = os_open(st->dirfd, path.buf, O_WRONLY | O_TRUNC, 0);
	ok(fd >= 0, "a crash of another registry cuts it");
	os_cleanup_fd(&fd);
	is_int(blob_open(st, &d, &fd, &size, &e), 0, "and it is absent");
	is_int(blob_write(st, &n, &d, "content", 7, &e), 0, "until it is written again");
	ok(blob_open(st, &d, &fd, &size, &e) == 1 && size == 7, "whole");
	os_cleanup_fd(&fd);
	os_write_file(st->dirfd, "berth/body/1", "content", 7, false);
	fd = os_open(st->dirfd, "berth/body/1", O_RDONLY, 0);
	is_int(blob_commit(st, &n, &d, &(struct blob_source){ BLOB_BY_LINK, "berth/body/1", fd, NULL, 0 }, &e), 0, "content is given to a repository");
	ok(blob_find(st, &n, &d, true, &target, &size, &e) == 1 && digest_eq(&target, &d) && size == 7, "and found there");
	is_int(blob_link(st, &m, &d, &n, &e), 1, "another repository takes it from there");
	is_int(blob_link(st, &m, &other, &n, &e), 0, "not what the first one lacks");
	is_int(blob_unlink(st, &n, &d, &e), 1, "the first one lets it go");
	is_int(blob_unlink(st, &n, &d, &e), 0, "once");
	ok(blob_find(st, &n, &d, false, &target, &size, &e) == 0 && blob_find(st, &m, &d, false, &target, &size, &e) == 1,
	   "and the other one keeps it");
	ok(entries("berth/tmp") == 0 && entries("berth/trash") == 0, "nothing temporary is left");
}

static void test_uploads(void)
{
	struct spool body = SPOOL_INIT;
	struct upload *u = NULL, *second = NULL;
	struct name n = name_of("up"), other = name_of("other");
	struct uuid uuid;
	uint64_t size;
	bool busy;

	is_int(upload_create(st, &n, &uuid, &e), 0, "an upload is begun");
	is_int(repo_exists(st, &n, &e), 0, "which makes no repository");
	ok(upload_size(st, &n, &uuid, 0, &size, &busy, &e) == 1 && size == 0, "it is empty");
	is_int(upload_open(&u, st, &other, &uuid, &e), 0, "another repository does not know it");
	is_int(upload_open(&u, st, &n, &uuid, &e), 1, "it is opened");
	spool_make(&body, st, &e);
	os_write_full(body.fd, "123", 3);
	body.size = 3;
	is_int(upload_append(u, &body, &e), 0, "a first body is taken");
	is_int(upload_append(u, &body, &e), 0, "a second is appended");
	is_int((intmax_t)u->size, 6, "their bytes are counted");
	upload_cut(u, 4);
	ok(upload_size(st, &n, &uuid, 0, &size, &busy, &e) == 1 && size == 4, "and can be taken back");
	spool_release(&body);
	is_int(upload_remove(u, &e), 0, "it is removed");
	upload_close(&u);
	is_int(upload_open(&second, st, &n, &uuid, &e), 0, "and gone");
	ok(entries("berth/tmp") == 0 && entries("berth/trash") == 0, "nothing temporary is left");
}

/* What is not found says nothing: no output is left as it was. */
static void test_outputs(void)
{
	struct name n = name_of("none");
	struct digest a = digest_of_text("a"), got = a, nothing = { 0 };
	struct uuid uuid = { .s = "00000000-0000-4000-8000-000000000000" };
	uint64_t size = 7;
	int64_t when = 7;

	ok(link_read_in(st, "docker/l/none", &got, &e) == 0 && memcmp(&got, &nothing, sizeof(got)) == 0, "a link that is not there holds no digest");
	got = a;
	ok(link_age(st, "docker/l/none", &a, &when, &got, &e) == 0 && when == 0 && memcmp(&got, &nothing, sizeof(got)) == 0,
	   "and has no age");
	when = 7;
	ok(blob_age(st, &a, &when, &size, &e) == 0 && when == 0 && size == 0, "nor has content that is not there");
	when = size = 7;
	ok(upload_age(st, &n, &uuid, &when, &size, &e) == 0 && when == 0 && size == 0, "nor an upload");
}

static void test_tags(void)
{
	struct digest a = digest_of_text("a"), b = digest_of_text("b"), got;
	cleanup_names struct names tags = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT, path = STR_INIT;
	struct name n = name_of("tags");
	struct tag t, leftover;

	tag_parse(&t, "1.0", 3);
	tag_parse(&leftover, "old", 3);
	catalog_ensure(st, &n, &e);
	is_int(tag_read(st, &n, &t, &got, &e), 0, "a tag is absent");
	is_int(tag_set(st, &n, &t, &a, &e), 0, "it is set");
	ok(tag_read(st, &n, &t, &got, &e) == 1 && digest_eq(&got, &a), "and points there");
	is_int(tag_set(st, &n, &t, &b, &e), 0, "it is moved");
	ok(tag_read(st, &n, &t, &got, &e) == 1 && digest_eq(&got, &b), "and points elsewhere");
	path_tag(&dir, &n, &t);
	path_tag_index(&path, dir.buf, &a);
	is_int(link_read_in(st, path.buf, &got, &e), 1, "what it once was stays in its index");
	path_tag(&path, &n, &leftover);
	os_mkdirs(st->dirfd, path.buf);
	is_int(tag_read(st, &n, &leftover, &got, &e), 0, "a directory without a link is no tag");
	is_int(tag_set(st, &n, &leftover, &a, &e), 0, "and can become one");
	is_int(tag_read(st, &n, &leftover, &got, &e), 1, "that is read");
	ok(tag_names(st, &n, &tags, &e) == 0 && tags.count == 2 && strcmp(tags.v[0], "1.0") == 0, "both are listed");
	str_reset(&path);
	is_int(tag_remove(st, &n, &t, &path, &e), 1, "a tag is removed");
	store_purge(st, path.buf);
	is_int(tag_read(st, &n, &t, &got, &e), 0, "and gone");
	ok(entries("berth/tmp") == 0 && entries("berth/trash") == 0, "nothing temporary is left");
}

struct visits {
	struct str seen;
	unsigned left;
};

static int visit(void *arg, const struct name *n, struct err *err)
{
	struct visits *v = arg;

	(void)err;
	str_addf(&v->seen, "%s ", n->s);
	return --v->left == 0;
}

static const char *walked(const char *after, unsigned limit)
{
	static struct visits v = { .seen = STR_INIT };

	str_reset(&v.seen);
	v.left = limit;
	repo_walk(st, after, visit, &v, &e);
	return v.seen.buf;
}

static void test_walk(void)
{
	static const char *const names[] = { "w/a", "w/a/b", "w/a-b", "w/a.b", "w/a0", "w/a/b/c/d", "w/z/y/x" };
	struct name n;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		n = name_of(names[i]);
		catalog_ensure(st, &n, &e);
	}
	os_mkdirs(st->dirfd, STORE_REPOSITORIES_DIR "/w/_x/a");
	os_mkdirs(st->dirfd, STORE_REPOSITORIES_DIR "/w/up/_uploads");
	is_str(walked("v", 100), "w/a w/a-b w/a.b w/a/b w/a/b/c/d w/a0 w/z/y/x ", "repositories are walked in byte order of their names");
	is_str(walked("w/a-b", 100), "w/a.b w/a/b w/a/b/c/d w/a0 w/z/y/x ", "from behind one of them");
	is_str(walked("w/a/b/a", 100), "w/a/b/c/d w/a0 w/z/y/x ", "or from behind what is none");
	is_str(walked("w/a/b/c/d", 1), "w/a0 ", "and no further than wanted");
	is_str(walked("w/z/y/x", 100), "", "behind the last there is nothing");
	is_str(walked("~", 100), "", "nor behind what sorts after all");
}

int main(void)
{
	char dir[] = "/tmp/berth-test-store-XXXXXX";
	struct store_options so = { .root = dir, .flush = true };

	if (!mkdtemp(dir))
		return 1;
	is_int(layout_prepare(&so, &e), 0, "a store is made");
	is_int(layout_prepare(&so, &e), 0, "and found again");
	is_int(store_open(&st, &so, &e), 0, "and opened");
	test_links();
	test_blobs();
	test_uploads();
	test_outputs();
	test_tags();
	test_walk();
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	err_release(&e);
	return done_testing();
}
