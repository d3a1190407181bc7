/* SPDX-License-Identifier: Apache-2.0 */
/* watched: a file that becomes invalid, and how long its previous contents stay in force. */

#include "auth/watched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tap.h"

#define SECOND UINT64_C(1000000)

struct owner {
	const char *file;
	char contents[16];
	unsigned reads;
};

/* "bad" and a file that does not exist are invalid. */
static int read_file(void *arg, struct stat *st, size_t *count, struct str *msg)
{
	cleanup_str struct str text = STR_INIT;
	struct owner *o = arg;

	o->reads++;
	if (watched_read(o->file, 1, st, &text, msg) < 0)
		return -1;
	if (strcmp(text.buf, "bad") == 0) {
		str_puts(msg, "F:1: bad");
		return -1;
	}
	snprintf(o->contents, sizeof(o->contents), "%.15s", text.buf);
	*count = 1;
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static int check(struct watched *w, uint64_t now)
{
	struct err e = ERR_INIT;
	int rc = watched_check(w, now, &e);

	if (rc < 0)
		is_int(e.status, 503, "the answer is 503");
	err_release(&e);
	return rc;
}

int main(void)
{
	char path[] = "/tmp/berth-test-watched.XXXXXX";
	struct owner o = { .file = path };
	struct watched w;
	int fd = mkstemp(path);

	if (fd < 0)
		abort();
	close(fd);
	write_file(path, "bad");
	watched_init(&w, path, "htpasswd", read_file, &o);
	is_int(check(&w, 1), -1, "a file that never was valid is in force for no moment");
	write_file(path, "one");
	is_int(check(&w, 2), 0, "a valid one is in force at once");
	is_str(o.contents, "one", "with its contents");
	write_file(path, "two");
	is_int(check(&w, 3), 0, "a change of the same size");
	is_str(o.contents, "two", "is seen");

	write_file(path, "bad");
	is_int(check(&w, 10 * SECOND), 0, "an invalid file");
	is_str(o.contents, "two", "leaves the previous contents in force");
	unlink(path);
	is_int(check(&w, 12 * SECOND), 0, "another fault");
	write_file(path, "bad");
	is_int(check(&w, (10 + WATCHED_GRACE) * SECOND - 1), 0, "begins no new grace period: still in it");
	is_int(check(&w, (10 + WATCHED_GRACE) * SECOND), -1, "and after it");
	is_int(check(&w, 100 * SECOND), -1, "and long after it");
	write_file(path, "one");
	is_int(check(&w, 101 * SECOND), 0, "repaired, it is in force at once");
	is_str(o.contents, "one", "with its contents");
	write_file(path, "bad");
	is_int(check(&w, 102 * SECOND), 0, "the next fault has a grace period of its own");
	is_int(check(&w, (102 + WATCHED_GRACE) * SECOND), -1, "of the same length");
	unlink(path);
	watched_release(&w);
	return done_testing();
}
