/* SPDX-License-Identifier: Apache-2.0 */
/* store/nearby, store/moves and store/recalled: what is kept of repositories is believed until something is moved. */

#include "store/nearby.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/tree.h"
#include "store/layout.h"
#include "store/link.h"
#include "store/moves.h"
#include "store/recalled.h"
#include "store/store_path.h"
#include "names.h"
#include "tap.h"

static struct store *st;
static struct err e = ERR_INIT;
static unsigned asked;          /* of the last look: how often */

static struct digest digest_of_text(const char *s)
{
	struct digest d;

	digest_of(&d, DIGEST_SHA256, s, strlen(s));
	return d;
}

/* Whether the repository has the link; a look as a request has one. */
static int look(const char *repository, const struct digest *d)
{
	struct name n = name_of(repository);
	cleanup_str struct str dir = STR_INIT;
	struct nearby_look l;
	struct digest target;
	int found;

	path_layer(&dir, &n, d);
	asked = 0;
	nearby_begin(&l, st, &n, NEARBY_LAYERS, d);
	do {
		asked++;
		found = link_find(st, dir.buf, d, &target, &e);
	} while (nearby_again(&l, found == 1));
	return found;
}

static void make(const char *repository, const struct digest *d)
{
	struct name n = name_of(repository);
	cleanup_str struct str dir = STR_INIT;

	path_layer(&dir, &n, d);
	is_int(link_ensure(st, dir.buf, d, &e), 0, "a link is made");
}

static int rename_as(const char *from, const char *to)
{
	cleanup_str struct str old = STR_INIT, new = STR_INIT;
	struct name a = name_of(from), b = name_of(to);

	path_repository(&old, &a);
	path_repository(&new, &b);
	return renameat(st->dirfd, old.buf, st->dirfd, new.buf);
}

static void test_moves(void)
{
	struct digest d = digest_of_text("a");
	struct moves now;
	int moving, fd;

	make("one", &d);
	ok(look("one", &d) == 1 && asked == 1, "it is found");
	is_int(moves_begin(st, &moving, &e), 0, "a move begins");
	fd = moves_open(st);
	ok(moves_look(fd, &now) == 0 && now.going_on && now.count == 1, "everybody can see that");
	ok(look("one", &d) == 1 && asked == 2, "what is there is found by its whole name");
	ok(look("one", &d) == 1 && asked == 1, "and nothing is kept meanwhile");
	is_int(rename_as("one", "two"), 0, "the repository is renamed");
	is_int(look("one", &d), 0, "it is gone");
	moves_end(&moving);
	ok(moves_look(fd, &now) == 0 && !now.going_on && now.count == 1, "the move is over");
	is_int(look("one", &d), 0, "it is gone");
	ok(look("two", &d) == 1 && look("two", &d) == 1 && asked == 1, "and kept under its new name");
	is_int(moves_begin(st, &moving, &e), 0, "another one");
	is_int(rename_as("two", "three"), 0, "which renames it");
	moves_end(&moving);
	ok(look("two", &d) == 0 && look("three", &d) == 1, "is noticed when it is over, too");
	is_int(moves_begin(st, &moving, &e), 0, "a third one");
	os_cleanup_fd(&moving);
	ok(moves_look(fd, &now) == 0 && now.going_on, "is killed");
	ok(look("three", &d) == 1 && look("three", &d) == 1 && asked == 1, "nothing is kept");
	moves_settle(st, fd);
	ok(moves_look(fd, &now) == 0 && !now.going_on, "until that is settled");
	close(fd);
}

/* What lies in the place of a directory that is open, with nobody saying that it was moved. */
static void test_missed(void)
{
	struct digest d = digest_of_text("a"), more = digest_of_text("more");

	make("here", &d);
	ok(look("here", &d) == 1 && look("here", &more) == 0 && asked == 2, "what is not found is looked for once more");
	os_remove_tree(st->dirfd, STORE_REPOSITORIES_DIR "/here");
	ok(look("here", &d) == 0, "a directory that was removed leads nowhere");
	make("here", &d);
	ok(look("here", &d) == 1 && asked == 2, "one in its place is found by its name");
	ok(look("here", &d) == 1 && asked == 1, "and kept");
}

static void test_many(void)
{
	struct digest d = digest_of_text("a");
	char name[16];
	int i, bad = 0;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		make(name, &d);
	}
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/%d", i % 100);
		bad += look(name, &d) != 1 || asked != 1;
	}
	is_int(bad, 0, "many repositories take turns");
	i = open("/", O_RDONLY | O_CLOEXEC);
	ok(i < 100, "and not all of their directories are open");
	close(i);
}

static void test_recalled(void)
{
	struct recalled *r = calloc(1, sizeof(*r));
	struct digest d = digest_of_text("bytes"), other = digest_of_text("other");
	char *large = calloc(1, RECALLED_BYTES + 1);
	struct digest of_large;

	recalled_begin(r);
	ok(!recalled_get(r, &d), "nothing is remembered");
	recalled_put(r, &d, "bytes", 5);
	ok(recalled_get(r, &d) && strcmp(recalled_get(r, &d)->buf, "bytes") == 0, "bytes are");
	recalled_put(r, &other, "wrong", 5);
	ok(!recalled_get(r, &other), "not those of another digest");
	digest_of(&of_large, DIGEST_SHA256, large, RECALLED_BYTES + 1);
	recalled_put(r, &of_large, large, RECALLED_BYTES + 1);
	ok(!recalled_get(r, &of_large), "not too many");
	recalled_forget(r);
	ok(!recalled_get(r, &d), "all are forgotten");
	recalled_put(r, &d, "bytes", 5);
	ok(recalled_get(r, &d), "and it goes on");
	recalled_forget(r);
	free(large);
	free(r);
}

int main(void)
{
	char dir[] = "/tmp/berth-test-nearby-XXXXXX";
	struct store_options o = { .root = dir };
	int fd;

	setenv("BERTH_TEST_DISTANT", "1", 1);
	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&st, &o, &e) < 0)
		return 1;
	fd = os_open(st->dirfd, STORE_RUN_LOCK_FILE, O_RDWR | O_CREAT, 0666);
	os_cleanup_fd(&fd);
	nearby_start(st);
	test_moves();
	test_missed();
	test_many();
	test_recalled();
	nearby_stop(st);
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
