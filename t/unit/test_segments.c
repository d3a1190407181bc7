/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments: lines come out whole, once and in the order in which they went in, however many processes write, wherever one
 * segment ends and the next begins; what does not count is not read.
 */

#include "os/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "tap.h"

#define DIR "log"

static int root = -1;
static unsigned flushed;

static int flush(void *arg, int fd)
{
	(void)arg;
	flushed++;
	return fsync(fd);
}

static struct segments writer(bool shared)
{
	struct segments s = SEGMENTS_INIT;

	s.dirfd = root;
	s.dir = DIR;
	s.shared = shared;
	return s;
}

static struct segment_reader reader(struct position from)
{
	struct segment_reader r = SEGMENT_READER_INIT;

	r.dirfd = root;
	r.dir = DIR;
	r.next = from;
	return r;
}

static void clear(void)
{
	cleanup_segment_list struct segment_list l = { 0 };
	cleanup_str struct str path = STR_INIT;

	mkdirat(root, DIR, 0700);
	segments_list(root, DIR, &l);
	for (size_t i = 0; i < l.count; i++) {
		segment_path(&path, DIR, l.v[i]);
		unlinkat(root, path.buf, 0);
	}
}

static size_t count(void)
{
	cleanup_segment_list struct segment_list l = { 0 };

	segments_list(root, DIR, &l);
	return l.count;
}

/* Append, and begin segments as a user of the module does. */
static struct position put(struct segments *s, const char *text)
{
	cleanup_str struct str line = STR_INIT;
	struct position at;
	bool begun;
	int rc;

	str_addf(&line, "\n%s\n", text);
	while ((rc = segments_append(s, line.buf, line.len, &at)) == 0) {
		cleanup_fd int lock = os_lock_open(root, "lock");

		if (os_lock(lock, true, 60000, NULL) < 0 || segments_begin(s, true, flush, NULL, &begun) < 0)
			abort();
	}
	if (rc < 0)
		abort();
	return at;
}

/* All lines from a position on, with commas between them. */
static void get(struct position from, struct str *out)
{
	cleanup_segment_reader struct segment_reader r = reader(from);
	struct position at;
	const char *line;
	size_t len;

	str_reset(out);
	while (segment_reader_next(&r, &line, &len, &at) == 1) {
		if (out->len)
			str_addc(out, ',');
		str_add(out, line, len);
	}
}

static void test_positions(void)
{
	struct position p = { 0x64f3a21b7c9d0, 0x1f2a4 }, q;
	char text[POSITION_LEN + 1], later[POSITION_LEN + 1];

	position_text(&p, text);
	is_str(text, "064f3a21b7c9d0-0001f2a4", "the text of a position");
	ok(position_parse(&q, text, strlen(text)) == 0 && position_cmp(&p, &q) == 0, "is read back");
	q.offset++;
	position_text(&q, later);
	ok(strcmp(text, later) < 0 && position_cmp(&p, &q) < 0, "and sorts as positions do");
	ok(position_parse(&q, "064f3a21b7c9d0-0001f2a", 22) < 0 && position_parse(&q, "064f3a21b7c9d0-0001F2A4", 23) < 0 &&
		   position_parse(&q, "064f3a21b7c9d0_0001f2a4", 23) < 0 && position_parse(&q, "../4f3a21b7c9d-0001f2a4", 23) < 0,
	   "nothing else is one");
}

static void test_simple(bool shared)
{
	const char *how = shared ? "under a lock" : "without a lock";
	cleanup_str struct str all = STR_INIT;
	struct segments s = writer(shared), other = writer(shared);
	struct position one, two;
	bool begun;

	clear();
	get((struct position){ 0 }, &all);
	is_str(all.buf, "", "%s: nothing is there at first", how);
	one = put(&s, "?one");
	two = put(&other, "?two\n?three");
	get((struct position){ 0 }, &all);
	is_str(all.buf, "?one,?two,?three", "%s: what two writers have appended is read in its order", how);
	one.offset++;
	two.offset++;
	ok(segments_mark(&other, &one, '+') == 0 && segments_mark(&s, &two, '-') == 0, "%s: lines are marked", how);
	get(one, &all);
	is_str(all.buf, "+one,-two,?three", "%s: and nothing else changes", how);
	get(two, &all);
	is_str(all.buf, "-two,?three", "%s: reading begins at a position", how);

	flushed = 0;
	ok(segments_begin(&s, true, flush, NULL, &begun) == 0 && !begun && count() == 1, "%s: a segment with room is gone on with", how);
	ok(segments_begin(&s, false, flush, NULL, &begun) == 0 && begun && count() == 2 && flushed == 1, "%s: or sealed, and flushed", how);
	put(&other, "four");
	put(&s, "five");
	get((struct position){ 0 }, &all);
	is_str(all.buf, "+one,-two,?three,four,five", "%s: who had it open goes on in the next one", how);
	ok(segments_mark(&s, &one, '#') == 0, "%s: a line of an earlier segment is marked", how);
	get(one, &all);
	ok(strncmp(all.buf, "#one,", 5) == 0, "%s: it is", how);
	segments_close(&s);
	segments_close(&other);
}

/* A short segment that is sealed gives the space back that it had reserved. */
static void test_seal(void)
{
	struct segments s = writer(false);
	cleanup_segment_list struct segment_list l = { 0 };
	cleanup_str struct str path = STR_INIT;
	struct stat sb = { 0 };
	bool begun;

	clear();
	put(&s, "one");
	segments_begin(&s, false, NULL, NULL, &begun);
	segments_list(root, DIR, &l);
	segment_path(&path, DIR, l.v[0]);
	fstatat(root, path.buf, &sb, 0);
	ok(sb.st_size > SEGMENT_SIZE && sb.st_blocks * 512 < SEGMENT_SIZE / 4,
	   "a sealed segment is long, and occupies little (%lld blocks)", (long long)sb.st_blocks);
	segments_begin(&s, false, NULL, NULL, &begun);
	segments_begin(&s, false, NULL, NULL, &begun);
	ok(begun && count() == 2, "an empty one that is sealed is removed");
	segments_close(&s);
}

/* What a full disk or a power cut has left of a line. */
static void test_torn(void)
{
	cleanup_str struct str all = STR_INIT, path = STR_INIT;
	struct segments s = writer(false);
	int fd;

	clear();
	put(&s, "one");
	segment_path(&path, DIR, s.number);
	fd = os_open_file(root, path.buf, O_WRONLY | O_APPEND, 0);
	ok(write(fd, "\n?tor", 5) == 5, "a torn line");
	get((struct position){ 0 }, &all);
	is_str(all.buf, "one", "is no line yet");
	put(&s, "two");
	get((struct position){ 0 }, &all);
	is_str(all.buf, "one,?tor,two", "and the next one begins a line of its own");
	close(fd);
	segments_close(&s);
}

/* One piece of many lines that begins before the end of a segment and ends behind it. */
static void test_edge(void)
{
	cleanup_str struct str piece = STR_INIT, all = STR_INIT;
	struct segments s = writer(false), late = writer(false);
	struct position at = { 0 };
	size_t lines = 1;
	int fd;

	clear();
	put(&late, "first");
	str_addc(&piece, 'x');
	while (piece.len < 3000)
		str_addc(&piece, 'y');
	while (at.offset < SEGMENT_SIZE - 3001 || at.offset > SEGMENT_SIZE) {
		at = put(&s, piece.buf);
		lines++;
		if (at.offset + 3002 + 3002 > SEGMENT_SIZE && at.offset < SEGMENT_SIZE)
			break;
	}
	str_reset(&piece);
	for (int i = 0; i < 5; i++)
		str_addf(&piece, "%sedge%d%1500s", i ? "\n" : "", i, "");
	at = put(&s, piece.buf);
	ok(at.offset < SEGMENT_SIZE && at.offset + piece.len > SEGMENT_SIZE && count() == 1, "a piece lies across the end");
	segment_path(&all, DIR, at.segment);
	fd = os_open_file(root, all.buf, O_WRONLY | O_APPEND, 0);
	ok(write(fd, "\nnot counted\n", 13) == 13, "a line behind the end");
	close(fd);
	put(&late, "last");
	ok(count() == 2, "who finds the end begins the next segment");
	get((struct position){ 0 }, &all);
	ok(strstr(all.buf, "edge4") && !strstr(all.buf, "not counted") && strstr(all.buf, ",last"), "all of the piece is read, and nothing behind it");
	segments_close(&s);
	segments_close(&late);
}

static void test_cut(void)
{
	struct segments s = writer(false);
	cleanup_str struct str all = STR_INIT;
	struct segment_reader r;
	struct position first, at;
	const char *line;
	size_t len;
	bool begun;

	clear();
	first = put(&s, "one");
	for (int i = 0; i < 3; i++) {
		segments_begin(&s, false, NULL, NULL, &begun);
		put(&s, "more");
	}
	ok(segments_cut(root, DIR, 0, UINT64_MAX, 0) == 0 && count() == 4, "nothing is cut off without a reason");
	ok(segments_cut(root, DIR, 0, UINT64_MAX, 1) == 1 && count() == 3, "the oldest is, where room is needed");
	r = reader(first);
	ok(segment_reader_next(&r, &line, &len, &at) == 1 && r.lost && strncmp(line, "more", 4) == 0, "a reader that was there is told, and goes on behind it");
	r.lost = false;
	ok(segment_reader_next(&r, &line, &len, &at) == 1 && !r.lost, "once");
	segment_reader_release(&r);
	ok(segments_cut(root, DIR, INT64_MAX, UINT64_MAX, 0) == 2 && count() == 1, "what is old is cut off, but never the newest segment");
	ok(segments_cut(root, DIR, INT64_MAX, 0, 5) == 0 && count() == 1, "whatever is asked");
	put(&s, "still");
	get((struct position){ 0 }, &all);
	is_str(all.buf, "more,still", "and it is gone on with");
	segments_close(&s);
}

static void test_end(void)
{
	struct segments s = writer(false);
	struct segment_reader r;
	struct position last, at, put_at;
	const char *line;
	size_t len;

	clear();
	r = reader((struct position){ 0 });
	ok(segment_reader_end(&r, &last) == 0 && last.segment == 0, "the end of nothing");
	put(&s, "one");
	put_at = put(&s, "two");
	put_at.offset++;
	ok(segment_reader_end(&r, &last) == 0 && position_cmp(&last, &put_at) == 0, "the last line");
	ok(segment_reader_next(&r, &line, &len, &at) == 0, "behind which nothing is");
	put(&s, "three");
	ok(segment_reader_next(&r, &line, &len, &at) == 1 && len == 5 && memcmp(line, "three", 5) == 0, "until there is");
	segment_reader_release(&r);
	segments_close(&s);
}

#define WRITERS 6
#define EACH 4000

/* Writers in several processes, over the ends of several segments; some seal meanwhile; a reader beside them. */
static void test_many(bool shared)
{
	const char *how = shared ? "under a lock" : "without a lock";
	struct segment_reader r;
	unsigned next[WRITERS] = { 0 }, wrong = 0, who, n, total = 0;
	int alive = WRITERS, status;
	struct position at, before = { 0 };
	const char *line;
	size_t len;

	clear();
	r = reader((struct position){ 0 });
	for (who = 0; who < WRITERS; who++) {
		if (fork() == 0) {
			struct segments s = writer(shared);
			char text[600];

			for (n = 0; n < EACH; n++) {
				snprintf(text, sizeof(text), "%u %u %*s", who, n, (int)(n * 7919 % 500), "");
				put(&s, text);
				if (n % 1500 == 1499) {
					cleanup_fd int lock = os_lock_open(root, "lock");
					bool begun;

					if (os_lock(lock, true, 60000, NULL) < 0 || segments_begin(&s, false, NULL, NULL, &begun) < 0)
						abort();
				}
			}
			_exit(0);
		}
	}
	for (;;) {
		int rc = segment_reader_next(&r, &line, &len, &at);

		if (rc == 0 && !alive)
			break;
		if (rc == 0) {
			while (alive && waitpid(-1, &status, WNOHANG) > 0) {
				alive--;
				wrong += status != 0;
			}
			continue;
		}
		if (rc < 0 || position_cmp(&before, &at) >= 0 || sscanf(line, "%u %u", &who, &n) != 2 || who >= WRITERS || n != next[who]) {
			wrong++;
			break;
		}
		before = at;
		next[who]++;
		total++;
	}
	ok(wrong == 0 && total == WRITERS * EACH && count() > 3, "%s: each line of each writer comes once and in order (%u of %u lines, %zu segments)", how,
	   total, WRITERS * EACH, count());
	segment_reader_release(&r);
}

int main(void)
{
	char dir[] = "/tmp/berth-test-segments-XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	root = os_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	test_positions();
	test_simple(false);
	test_simple(true);
	test_seal();
	test_torn();
	test_edge();
	test_cut();
	test_end();
	test_many(false);
	test_many(true);
	close(root);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
