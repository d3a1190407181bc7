/* SPDX-License-Identifier: Apache-2.0 */
/* collector: notes are read once, however many batches there are; the mark of a run that was killed goes, and no other. */

#include "store/collector.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/store_path.h"
#include "tap.h"

static char root[] = "/tmp/berth-collector.XXXXXX";
static struct name repository;
static struct err e = ERR_INIT;

static struct store *open_store(void)
{
	struct store_options o = { .root = root };
	struct store *st;

	if (store_open(&st, &o, &e) < 0)
		abort();
	return st;
}

static struct digest nth(unsigned n)
{
	struct digest d;
	char text[16];

	digest_of(&d, DIGEST_SHA256, text, (size_t)snprintf(text, sizeof(text), "%u", n));
	return d;
}

/* One step of a writer. */
static void note(struct store *st, unsigned first, unsigned count)
{
	struct digest *d = calloc(count, sizeof(*d));
	unsigned i;

	for (i = 0; d && i < count; i++)
		d[i] = nth(first + i);
	if (!d || lock_collector(st, &e) < 0 || collector_note(st, &repository, d, count, &e) < 0)
		abort();
	unlock_collector(st);
	free(d);
}

static void batch(struct collector *c)
{
	if (collector_enter(c, &e) < 0)
		abort();
	collector_leave(c);
}

/* How many bytes this process has read, from whatever file. */
static uint64_t bytes_read(void)
{
	char text[256] = "";
	FILE *f = fopen("/proc/self/io", "r");

	if (!f || !fgets(text, sizeof(text), f) || strncmp(text, "rchar: ", 7) != 0)
		abort();
	fclose(f);
	return strtoull(text + 7, NULL, 10);
}

static bool marked(struct store *st)
{
	return faccessat(st->dirfd, STORE_RUN_FILE, F_OK, 0) == 0;
}

/* The directory with the notes of the only run there is; false where there is none. */
static bool notes_dir(struct store *st, struct str *path)
{
	cleanup_names struct names all = NAMES_INIT;
	size_t i;

	str_reset(path);
	os_dir_list(st->dirfd, STORE_GC_DIR, DIR_DIRS, &all);
	for (i = 0; i < all.count; i++)
		if (strlen(all.v[i]) == 16)
			str_addf(path, STORE_GC_DIR "/%s", all.v[i]);
	return path->len > 0;
}

static off_t notes_size(struct store *st)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	if (!notes_dir(st, &path))
		return 0;
	str_addf(&path, "/%016" PRIx64, st->id);
	return fstatat(st->dirfd, path.buf, &sb, 0) < 0 ? 0 : sb.st_size;
}

static unsigned missing(const struct collector *c, unsigned first, unsigned count)
{
	unsigned i, n = 0;

	for (i = 0; i < count; i++) {
		struct digest d = nth(first + i);

		n += !collector_noted(c, &d);
	}
	return n;
}

static void test_read_once(struct store *collecting, struct store *writing)
{
	struct collector *c;
	uint64_t before;
	unsigned i;

	is_int(collector_begin(&c, collecting, &e), 1, "a collection begins");
	for (i = 0; i < 100; i++) {
		note(writing, i * 100, 100);
		if (i % 10 == 0)
			batch(c);
	}
	batch(c);
	is_int(missing(c, 0, 10000), 0, "all that was noted is heard of");
	is_int(missing(c, 10000, 100), 100, "and nothing else");
	before = bytes_read();
	for (i = 0; i < 100; i++)
		batch(c);
	before = bytes_read() - before;
	ok(before < 10000, "a hundred batches in which nothing new was noted read %" PRIu64 " bytes, not a hundred times %" PRIu64,
	   before, (uint64_t)notes_size(writing));
	before = bytes_read();
	for (i = 0; i < 100; i++) {
		note(writing, 10000 + i, 1);
		batch(c);
	}
	before = bytes_read() - before;
	is_int(missing(c, 10000, 100), 0, "what is noted one by one is heard of");
	ok(before < 100000, "a hundred batches with a note each read %" PRIu64 " bytes", before);

	for (i = 0; i < 4; i++)
		note(writing, 20000 + i * 10000, 10000);
	before = bytes_read();
	batch(c);
	before = bytes_read() - before;
	is_int(missing(c, 20000, 40000), 0, "of more than is read at once all is heard of");
	ok(before < 2 * (uint64_t)notes_size(writing), "and read once");
	is_int(collector_end(&c, &e), 0, "the collection ends");
	is_int(notes_size(writing), 0, "with its notes");
}

static void append(struct store *st, const char *dir, const char *text)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;

	str_addf(&path, "%s/another", dir);
	fd = os_open(st->dirfd, path.buf, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0 || os_write_full(fd, text, strlen(text)) < 0)
		abort();
}

static void test_pieces(struct store *collecting)
{
	cleanup_str struct str dir = STR_INIT, longer = STR_INIT;
	struct digest a = nth(1), b = nth(2);
	struct collector *c;
	char half[32];
	unsigned i;

	if (collector_begin(&c, collecting, &e) != 1 || !notes_dir(collecting, &dir))
		abort();
	snprintf(half, sizeof(half), "%.30s", a.text);
	append(collecting, dir.buf, half);
	batch(c);
	ok(!collector_noted(c, &a), "half a line is no note");
	append(collecting, dir.buf, a.text + strlen(half));
	append(collecting, dir.buf, " a/b\nsha256:0123\n");
	batch(c);
	ok(collector_noted(c, &a), "when the rest has come it is one");
	for (i = 0; i < 20000; i++)
		str_puts(&longer, "sha256:0123");
	append(collecting, dir.buf, longer.buf);
	batch(c);
	append(collecting, dir.buf, "\n");
	append(collecting, dir.buf, b.text);
	append(collecting, dir.buf, " a/b\n");
	batch(c);
	ok(collector_noted(c, &b), "a line that is longer than any note hides nothing that comes after it");
	is_int(collector_end(&c, &e), 0, "the collection ends");
}

/* A collection in another process, which is killed. */
static void kill_one(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct store *st = open_store();
		struct collector *c;

		_exit(collector_begin(&c, st, &e) == 1 ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		abort();
}

static void test_killed(struct store *collecting, struct store *writing, struct store *another)
{
	struct collector *c;
	unsigned i, steps = 0;
	off_t size;
	int fd;

	kill_one();
	ok(marked(writing), "a collection that is killed leaves its mark");
	for (i = 0; i < 100; i++)
		note(another, i, 1);
	ok(!marked(writing), "a writer that goes on noting takes it away");
	while (notes_size(writing) == 0 && steps++ < 100)
		note(writing, 1, 1);
	is_int(notes_size(writing), 0, "after that no writer notes");
	ok(notes_size(another) < 8192, "the writer noted %" PRIu64 " bytes in vain", (uint64_t)notes_size(another));

	is_int(collector_begin(&c, collecting, &e), 1, "the next collection begins");
	is_int(notes_size(another), 0, "and the notes of the other one are gone");
	size = notes_size(writing);
	for (i = 0; i < 200; i++)
		note(writing, i, 1);
	ok(marked(writing) && notes_size(writing) - size > 10000, "the mark of one that is alive stays, however much is noted");
	batch(c);
	is_int(missing(c, 0, 200), 0, "and all of it is heard of");
	is_int(collector_end(&c, &e), 0, "the collection ends");

	kill_one();
	is_int(collector_exclude(collecting, &fd, &e), 1, "while collections are kept from beginning");
	for (i = 0; i < 200; i++)
		note(writing, i, 1);
	ok(marked(writing), "a mark that is left may stay");
	os_cleanup_fd(&fd);
	for (i = 0; i < 200; i++)
		note(writing, i, 1);
	ok(!marked(writing), "but goes afterwards");
	is_int(collector_tidy(collecting, &e), 0, "collector_tidy succeeds");
	is_int(notes_size(writing), 0, "removes the notes, with a mark or without");
}

/*
 * A writer looks whether anybody collects just when somebody begins: that is no collection. On a busy machine it may stand still longer than
 * somebody waits: then this is tried again.
 */
static void test_looked_at(struct store *collecting)
{
	struct collector *c;
	int tries, begun = 0;

	for (tries = 0; tries < 20 && begun == 0; tries++) {
		int fd = os_open(collecting->dirfd, STORE_RUN_LOCK_FILE, O_RDWR, 0);
		pid_t pid;

		if (fd < 0 || os_lock(fd, false, 1000, NULL) < 0 || (pid = fork()) < 0)
			abort();
		if (pid == 0) {
			usleep(5000);
			_exit(0);
		}
		close(fd);      /* the child has it */
		begun = collector_begin(&c, collecting, &e);
		waitpid(pid, NULL, 0);
	}
	is_int(begun, 1, "a collection waits for locks/run if it is busy for a moment only");
	is_int(collector_end(&c, &e), 0, "the collection ends");
}

int main(void)
{
	struct store *collecting, *writing, *another;
	struct store_options o = { .root = root };

	if (!mkdtemp(root) || name_parse(&repository, "a/b", 3) < 0 || layout_prepare(&o, &e) < 0)
		abort();
	collecting = open_store();
	writing = open_store();
	another = open_store();
	test_read_once(collecting, writing);
	test_pieces(collecting);
	test_killed(collecting, writing, another);
	test_looked_at(collecting);
	store_close(&collecting);
	store_close(&writing);
	store_close(&another);
	os_remove_tree(AT_FDCWD, root);
	return done_testing();
}
