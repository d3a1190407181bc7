/* SPDX-License-Identifier: Apache-2.0 */
/* os/file, os/dir and os/tree: whole reads and writes, appending, lists, trees. */

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/dir.h"
#include "os/tree.h"
#include "tap.h"

static int root;

static bool holds(const char *path, const char *want)
{
	char buf[256];
	ssize_t n = os_read_file(root, path, buf, sizeof(buf));

	return n == (ssize_t)strlen(want) && memcmp(buf, want, (size_t)n) == 0;
}

static void test_files(void)
{
	char buf[4];

	is_int(os_write_file(root, "a", "1234", 4, true), 0, "a file is written");
	ok(os_write_file(root, "a", "x", 1, false) < 0 && errno == EEXIST, "and not written over");
	is_int(os_read_file(root, "a", buf, 4), 4, "a file that fits is read whole");
	is_int(os_read_file(root, "a", buf, 3), 4, "one that doesn't is told by one more than fits");
	ok(os_read_file(root, "none", buf, 4) < 0 && errno == ENOENT, "one that isn't there by errno");
	is_int(os_write_file(root, "empty", "", 0, false), 0, "an empty file is written");
	is_int(os_read_file(root, "empty", buf, 4), 0, "and read");
}

static void test_trees(void)
{
	struct names names = NAMES_INIT;

	is_int(os_mkdirs(root, "t/x/y/z"), 0, "directories are made with those above them");
	is_int(os_mkdirs(root, "t/x/y/z"), 0, "and again");
	ok(os_mkdirs(root, "a/b") < 0 && errno == ENOTDIR, "not below a file");
	is_int(os_fsync_above(root, "t/x/y/z", 4), 0, "those above a path are flushed, the root as well");
	os_write_file(root, "t/x/b", "", 0, false);
	os_write_file(root, "t/x/B", "", 0, false);
	symlinkat("/", root, "t/x/link");
	is_int(os_dir_list(root, "t/x", DIR_ALL, &names), 0, "a directory is listed");
	ok(names.count == 4 && strcmp(names.v[0], "B") == 0 && strcmp(names.v[1], "b") == 0 && strcmp(names.v[2], "link") == 0 &&
	   strcmp(names.v[3], "y") == 0, "in byte order");
	names_release(&names);
	is_int(os_dir_list(root, "t/x", DIR_DIRS, &names), 0, "or its directories alone");
	ok(names.count == 2 && strcmp(names.v[0], "link") == 0 && strcmp(names.v[1], "y") == 0, "and links to some");
	names_release(&names);
	is_int(os_remove_tree(root, "t"), 0, "a tree is removed");
	ok(faccessat(root, "t", F_OK, 0) < 0 && access("/", F_OK) == 0, "and nothing behind its links");
	is_int(os_remove_tree(root, "t"), 0, "a missing file is no error");
}

/* Compares every page of every size with the whole list. */
static void test_pages(void)
{
	cleanup_names struct names all = NAMES_INIT;
	int wrong = 0;

	os_mkdirs(root, "p");
	for (int i = 0; i < 37; i++) {
		char path[16];

		snprintf(path, sizeof(path), "p/%d", i * 7919 % 1000);
		os_write_file(root, path, "", 0, false);
	}
	os_dir_list(root, "p", DIR_ALL, &all);
	for (size_t max = 1; max < 40; max++) {
		for (size_t after = 0; after <= all.count; after++) {
			cleanup_names struct names page = NAMES_INIT;
			size_t want = all.count - after < max ? all.count - after : max;

			wrong += os_dir_page(root, "p", after ? all.v[after - 1] : "", max, &page) != 0 || page.count != want;
			for (size_t i = 0; i < page.count && i < want; i++)
				wrong += strcmp(page.v[i], all.v[after + i]) != 0;
		}
	}
	ok(all.count == 37 && wrong == 0, "a page has the names behind the given one, in order");
	os_remove_tree(root, "p");
	ok(os_dir_page(root, "p", "", 1, &all) < 0 && errno == ENOENT, "no directory is an error");
}

static void test_append(void)
{
	cleanup_fd int src = -1, dst = -1;

	os_write_file(root, "src", "abcdef", 6, false);
	os_write_file(root, "dst", "123", 3, false);
	src = os_open(root, "src", O_RDONLY, 0);
	dst = os_open(root, "dst", O_RDWR, 0);
	is_int(os_append(dst, 3, src, 0, 6), 0, "bytes are appended");
	ok(holds("dst", "123abcdef"), "where the file ended");
	is_int(os_append(dst, 9, src, 4, 2), 0, "a part of a file is appended");
	ok(holds("dst", "123abcdefef"), "that part alone");
	ok(os_append(dst, 11, src, 0, 7) < 0, "a source that is too short is an error");
	ok(holds("dst", "123abcdefef"), "and the file is as it was");
}

/* The address to which the last read(2) wrote. */
static const char *read_to;

ssize_t read(int fd, void *buf, size_t len)
{
	read_to = buf;
	return syscall(SYS_read, fd, buf, len);
}

static void test_read_str(void)
{
	struct str s = STR_INIT;
	cleanup_fd int fd = -1;

	str_puts(&s, "before ");
	ok(os_write_file(root, "read", "content", 7, false) == 0, "a file");
	fd = os_open(root, "read", O_RDONLY, 0);
	is_int(os_read_str(fd, 4, &s), 0, "a part of it is read");
	is_str(s.buf, "before cont", "behind what a buffer holds");
	ok(read_to >= s.buf && read_to < s.buf + s.cap, "and right there: nothing is copied");
	is_int(os_read_str(fd, 100, &s), 0, "what it has no more of");
	is_str(s.buf, "before content", "is not missed");
	is_int(os_read_str(fd, 0, &s), 0, "nothing is read");
	str_release(&s);
	ok(os_read_str(fd, 0, &s) == 0 && s.len == 0, "into no memory, too");
}

int main(void)
{
	char dir[] = "/tmp/berth-test-file-XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	root = os_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	test_files();
	test_trees();
	test_pages();
	test_append();
	test_read_str();
	close(root);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
