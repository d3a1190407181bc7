/* SPDX-License-Identifier: Apache-2.0 */
/* Content that only mirrors have: who gets the sticky bit, who takes it, what is counted, and since when it is believed; pins and names of mirrors. */

#include "store/alone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digestset.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/blob.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/mirror.h"
#include "store/spool.h"
#include "store/store_path.h"
#include "names.h"
#include "tap.h"

static struct store *st;
static struct err e = ERR_INIT;

static bool is_mirror(const void *arg, const struct name *n)
{
	(void)arg;
	return strncmp(n->s, "up/", 3) == 0;
}

static const struct mirror_by by = { is_mirror };

static struct digest digest_of_text(const char *s)
{
	struct digest d;

	digest_of(&d, DIGEST_SHA256, s, strlen(s));
	return d;
}

static bool is_alone(const char *content)
{
	struct digest d = digest_of_text(content);
	uint64_t size;
	int alone = blob_alone(st, &d, &size, &e);

	return alone == 1 && size == strlen(content);
}

static uint64_t counted(void)
{
	uint64_t bytes;

	return alone_size(st, &bytes, &e) < 0 ? UINT64_MAX : bytes;
}

/* As a worker does it with what nginx or the relay has spooled. */
static bool bring(const char *repository, const char *content)
{
	struct digest d = digest_of_text(content);
	struct name n = name_of(repository);
	cleanup_spool struct spool sp = SPOOL_INIT;
	struct blob_source src = { .how = BLOB_BY_LINK };

	if (spool_make(&sp, st, &e) < 0 || os_write_full(sp.fd, content, strlen(content)) < 0)
		return false;
	src.path = sp.path.buf;
	src.fd = sp.fd;
	return blob_commit(st, &n, &d, &src, &e) == 0;
}

static bool write_manifest(const char *repository, const char *content)
{
	struct digest d = digest_of_text(content);
	struct name n = name_of(repository);
	int rc;

	if (lock_collector(st, &e) < 0)
		return false;
	rc = blob_write(st, &n, &d, content, strlen(content), &e);
	unlock_collector(st);
	return rc == 0;
}

static bool find(const char *repository, const char *content, bool touch)
{
	struct digest d = digest_of_text(content), target;
	struct name n = name_of(repository);
	uint64_t size;
	int found;

	if (lock_collector(st, &e) < 0)
		return false;
	found = blob_find(st, &n, &d, touch, &target, &size, &e);
	unlock_collector(st);
	return found == 1;
}

static int add_name(void *arg, const struct name *n, struct err *er)
{
	(void)er;
	str_addf(arg, "%s ", n->s);
	return 0;
}

static void test_copies(void)
{
	struct name app = name_of("up/app"), below = name_of("up/app/sub"), own = name_of("own/app");
	cleanup_str struct str all = STR_INIT;

	ok(bring("up/app", "early") && !is_alone("early"), "what comes to a repository that is no copy is no mirror's alone");
	is_int(mirror_copied(st, &app, &e), 0, "nobody has said that it is one");
	is_int(mirror_each(st, add_name, &all, &e), 0, "there is none");
	ok(mirror_copy(st, &app, &e) == 0 && mirror_copy(st, &app, &e) == 0 && mirror_copied(st, &app, &e) == 1, "it is a copy");
	is_int(mirror_copied(st, &below, &e), 0, "and one below it is not");
	ok(mirror_copy(st, &below, &e) == 0 && mirror_each(st, add_name, &all, &e) == 0, "until it is");
	ok(strcmp(all.buf, "up/app up/app/sub ") == 0 || strcmp(all.buf, "up/app/sub up/app ") == 0, "all are found, in any order");
	ok(mirror_own(st, &below, &e) == 1 && mirror_own(st, &below, &e) == 0 && mirror_copied(st, &below, &e) == 0, "it ceases to be one, once");
	ok(mirror_copy(st, &own, &e) == 0 && bring("own/app", "mine") && !is_alone("mine"), "without an upstream nothing gets the bit, copy or not");
	ok(bring("up/app", "its") && is_alone("its"), "in a copy it does");
	ok(find("own/app", "its", true) == false && bring("own/app", "its") && is_alone("its"), "and keeps it in another copy");
	ok(mirror_own(st, &own, &e) == 1 && bring("own/app", "its") && !is_alone("its"), "but not elsewhere");
	alone_replace(st, 0, counted(), &e);
	own = name_of("up/other");
	ok(mirror_copy(st, &own, &e) == 0, "another one");
}

/* One file that is handed over twice, and one that the bound has no room for. */
static void test_handing(void)
{
	struct name n = name_of("up/app");
	struct digest d = digest_of_text("twice");
	cleanup_spool struct spool sp = SPOOL_INIT;
	struct blob_source src = { .how = BLOB_BY_LINK };
	uint64_t before = counted();

	ok(spool_make(&sp, st, &e) == 0 && os_write_full(sp.fd, "twice", 5) == 0, "a spool file");
	src.path = sp.path.buf;
	src.fd = sp.fd;
	src.most = before + 4;
	is_int(blob_commit(st, &n, &d, &src, &e), -1, "is too much");
	is_int(e.code, ERR_DENIED, "and is refused");
	err_release(&e);
	e = (struct err)ERR_INIT;
	ok(counted() == before && !is_alone("twice"), "not kept, not counted");
	src.most = before + 5;
	is_int(blob_commit(st, &n, &d, &src, &e), 0, "where it fits it is kept");
	ok(is_alone("twice") && counted() == before + 5, "and counted");
	ok(spool_verify(st, sp.fd, &d, &e) == 0 && is_alone("twice"), "looked at again it stays a mirror's alone");
	ok(blob_commit(st, &n, &d, &src, &e) == 0 && is_alone("twice") && counted() == before + 5, "handed over again it is neither counted again nor refused");
	is_int(blob_forsake(st, &d, &e), 0, "it is shared");
	ok(blob_commit(st, &n, &d, &src, &e) == 0 && !is_alone("twice"), "handed over again it does not get the bit back");
	ok(blob_remove(st, &d, &e) >= 0 && linkat(st->dirfd, sp.path.buf, st->dirfd, "berth/tmp/other", 0) == 0 && blob_commit(st, &n, &d, &src, &e) == 0 &&
	   !is_alone("twice"), "nor does a file that has another name");
}

static void test_bit(void)
{
	struct name own = name_of("own/app"), from = name_of("up/app"), other = name_of("up/other");
	struct digest d;

	ok(bring("up/app", "a layer"), "a mirror brings a blob");
	ok(is_alone("a layer"), "it alone has it");
	is_int(counted(), 7, "and it is counted");
	ok(bring("up/other", "a layer") && is_alone("a layer"), "another mirror brings it, too: they alone have it");
	is_int(counted(), 7, "and it is counted once");
	d = digest_of_text("a layer");
	is_int(blob_adopt(st, &other, &d, &e), 1, "adopted");
	ok(is_alone("a layer"), "it stays theirs");
	ok(find("up/app", "a layer", true) && is_alone("a layer"), "found in the mirror, too");
	is_int(blob_link(st, &own, &d, &from, &e), 1, "mounted elsewhere");
	ok(!is_alone("a layer"), "it is not any more");

	ok(bring("up/app", "another") && is_alone("another"), "another blob");
	ok(bring("own/app", "another") && !is_alone("another"), "that somebody pushes is not theirs");
	ok(bring("own/app", "pushed") && bring("up/app", "pushed") && !is_alone("pushed"), "nor is what was there before");
	is_int(counted(), 14, "which is not counted");

	ok(write_manifest("up/app", "{}") && is_alone("{}"), "a manifest of a mirror");
	is_int(counted(), 16, "is counted");
	ok(write_manifest("up/other", "{}") && is_alone("{}"), "again");
	ok(write_manifest("own/app", "{}") && !is_alone("{}"), "pushed with the same bytes it is not theirs");
	ok(write_manifest("own/app", "{ }") && write_manifest("up/app", "{ }") && !is_alone("{ }"), "nor is one that was pushed first");

	/* A link of another registry, made before this epoch. */
	ok(bring("up/app", "found") && is_alone("found"), "a blob that another registry may have linked has the bit");
	d = digest_of_text("found");
	is_int(blob_forsake(st, &d, &e), 0, "until somebody looks");
	ok(!is_alone("found"), "then it has not");
	is_int(blob_forsake(st, &d, &e), 0, "again");
	d = digest_of_text("nothing");
	is_int(blob_forsake(st, &d, &e), 0, "of what is not there");
}

static void test_size(void)
{
	uint64_t before = counted();

	is_int(alone_add(st, 100, before + 99, &e), 0, "what would be too much is not counted");
	is_int(counted(), before, "and changes nothing");
	is_int(alone_add(st, 100, before + 100, &e), 1, "what just fits is");
	is_int(alone_add(st, 1, 0, &e), 1, "without a limit anything");
	is_int(alone_add(st, UINT64_MAX, before + 1000, &e), 0, "but no number that leads over the end");
	is_int(alone_replace(st, 50, before + 91, &e), 0, "measured, and added since");
	is_int(counted(), 60, "both count");
	is_int(alone_replace(st, 50, 70, &e), 0, "measured, and removed since");
	is_int(counted(), 50, "what was measured counts");
	is_int(alone_sub(st, 20, &e), 0, "less");
	is_int(counted(), 30, "by that");
	is_int(alone_sub(st, 31, &e), 0, "less than nothing");
	is_int(counted(), 0, "is nothing");
	os_write_file(st->dirfd, STORE_MIRROR_SIZE_FILE, "0000000000000000001x\n", 21, true);
	is_int(counted(), 0, "what is no number is none");
	is_int(alone_add(st, 5, 0, &e), 1, "and is written over");
	is_int(counted(), 5, "whole");
}

static void test_judged(void)
{
	cleanup_str struct str word = STR_INIT, now = STR_INIT;

	is_int(alone_word(st, &word, &e), 0, "a word");
	is_int(alone_judged(st, &word, &e), 0, "without an epoch nothing is judged");
	is_int(alone_judge(st, &word, &e), 0, "nor can it be");
	memset(st->epoch, 'a', STORE_EPOCH_LEN);
	is_int(alone_word(st, &word, &e), 0, "that of an epoch");
	is_int(alone_judged(st, &word, &e), 0, "in which nobody has");
	is_int(alone_judge(st, &word, &e), 1, "then somebody has");
	is_int(alone_judged(st, &word, &e), 1, "in this epoch");
	is_int(alone_doubt(st, &e), 0, "somebody doubts");
	ok(alone_word(st, &now, &e) == 0 && alone_judged(st, &now, &e) == 0, "and it has to be done again");
	is_int(alone_judge(st, &word, &e), 1, "who began before that");
	is_int(alone_judged(st, &now, &e), 0, "has not seen all");
	is_int(alone_judge(st, &now, &e), 1, "who began afterwards");
	is_int(alone_judged(st, &now, &e), 1, "has");
	st->epoch[3] = 'b';
	ok(alone_word(st, &now, &e) == 0 && alone_judged(st, &now, &e) == 0, "not so in another epoch");
}

static void test_pins(void)
{
	struct digestset keep = DIGESTSET_INIT;
	struct digest a = digest_of_text("a"), b = digest_of_text("b");
	struct name n = name_of("up/app"), sub = name_of("up/app/sub");
	cleanup_names struct names pins = NAMES_INIT;
	struct tag t, u;

	tag_parse(&t, "v1", 2);
	tag_parse(&u, "v2", 2);
	is_int(mirror_pinned(st, &n, &t, &e), 0, "a tag is not pinned");
	is_int(mirror_pins(st, &n, &pins, &e), 0, "nor is any");
	is_int(mirror_pin(st, &n, &t, &e), 1, "it is");
	is_int(mirror_pin(st, &n, &t, &e), 0, "once");
	ok(mirror_pin(st, &n, &u, &e) == 1 && mirror_pin(st, &sub, &u, &e) == 1, "so are others");
	is_int(mirror_pinned(st, &n, &t, &e), 1, "it says so");
	ok(mirror_pins(st, &n, &pins, &e) == 0 && pins.count == 2 && strcmp(pins.v[0], "v1") == 0, "they are listed");
	ok(mirror_unpin(st, &n, &t, &e) == 1 && mirror_unpin(st, &n, &t, &e) == 0, "unpinned once");
	is_int(mirror_pinned(st, &n, &t, &e), 0, "it is not");

	ok(mirror_name(st, &n, (struct digest[]){ a, b }, 2, &e) == 0 && mirror_check(st, &n, &t, &e) == 0, "two digests are named");
	digestset_add(&keep, &b);
	is_int(mirror_unname(st, &n, &keep, &e), 0, "one is forgotten");
	ok(mirror_named(st, &n, &a, &e) == 0 && mirror_named(st, &n, &b, &e) == 1, "and the other not");
	digestset_release(&keep);
	mirror_uncheck(st, &n, &t);
	is_int(mirror_checked(st, &n, &t, &(int64_t){ 0 }, &e), 0, "a tag that is gone was never checked");
	is_int(mirror_remove(st, &n, &e), 0, "a repository is removed");
	ok(mirror_pinned(st, &n, &u, &e) == 0 && mirror_pinned(st, &sub, &u, &e) == 1, "with its pins, and the one below it is not");
}

int main(void)
{
	char dir[] = "/tmp/berth-test-alone-XXXXXX";
	struct store_options o = { .root = dir, .flush = true, .mirrors = { .by = &by } };

	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&st, &o, &e) < 0)
		return 1;
	st->epoch[0] = '\0';
	test_copies();
	test_bit();
	test_handing();
	test_size();
	test_judged();
	test_pins();
	err_release(&e);
	store_close(&st);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
