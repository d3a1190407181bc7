/* SPDX-License-Identifier: Apache-2.0 */
/* digestset: a set contains the digests that were added and no others, for any number and any first bytes. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/digestset.h"
#include "tap.h"

#define MANY 20000

/* The digest of a number. */
static struct digest nth(enum digest_alg alg, unsigned n)
{
	struct digest d;
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	digest_of(&d, alg, text, (size_t)len);
	return d;
}

static struct digest parsed(const char *text)
{
	struct digest d = { 0 };

	ok(digest_parse(&d, text, strlen(text)) == 0, "%.20s... is a digest", text);
	return d;
}

static void test_empty(void)
{
	struct digestset s = DIGESTSET_INIT;
	struct digest d = nth(DIGEST_SHA256, 1);

	ok(!digestset_has(&s, &d), "an empty set has nothing");
	is_int(digestset_count(&s), 0, "and counts nothing");
	digestset_release(&s);
	digestset_release(&s);
	ok(!digestset_has(&s, &d), "a set that was released is empty, and may be released again");
}

static void test_many(enum digest_alg alg)
{
	cleanup_digestset struct digestset s = DIGESTSET_INIT;
	unsigned i, missing = 0, extra = 0;
	struct digest d;

	for (i = 0; i < MANY; i++) {
		d = nth(alg, i);
		digestset_add(&s, &d);
		if (i % 3 == 0)
			digestset_add(&s, &d);
	}
	is_int(digestset_count(&s), MANY, "%s: a digest that is added twice counts once", digest_alg_name(alg));
	for (i = 0; i < MANY; i++) {
		d = nth(alg, i);
		missing += !digestset_has(&s, &d);
		d = nth(alg, i + MANY);
		extra += digestset_has(&s, &d);
		d = nth(alg == DIGEST_SHA256 ? DIGEST_SHA512 : DIGEST_SHA256, i);
		extra += digestset_has(&s, &d);
	}
	is_int(missing, 0, "%s: all of %d are found", digest_alg_name(alg), MANY);
	is_int(extra, 0, "%s: and nothing that was not added, of neither algorithm", digest_alg_name(alg));
	digestset_release(&s);
	d = nth(alg, 1);
	ok(!digestset_has(&s, &d), "%s: a set that was released has nothing", digest_alg_name(alg));
	digestset_add(&s, &d);
	ok(digestset_has(&s, &d) && digestset_count(&s) == 1, "%s: and can be used again", digest_alg_name(alg));
}

/* The longest run of used slots, which bounds a search. */
static size_t longest_row(const struct digestset *s, enum digest_alg alg)
{
	static const unsigned char none[DIGESTSET_KEY];
	size_t row = 0, longest = 0, cap = s->of[alg].cap, i;

	for (i = 0; i < 2 * cap; i++) {
		row = memcmp(s->of[alg].keys[i % cap], none, DIGESTSET_KEY) == 0 ? 0 : row + 1;
		longest = row > longest ? row : longest;
	}
	return longest;
}

/*
 * Chosen digests that differ in 16 bits only: searches are short, whichever bits these are. The fullest table of random
 * digests has runs of about a hundred slots.
 */
static void test_chosen(enum digest_alg alg, const char *zeros, size_t at)
{
	cleanup_digestset struct digestset s = DIGESTSET_INIT;
	unsigned i, missing = 0, extra = 0;
	char text[DIGEST_TEXT_MAX + 1], hex[5];
	size_t longest;
	struct digest d;

	snprintf(text, sizeof(text), "%s:%s%s", digest_alg_name(alg), zeros, alg == DIGEST_SHA512 ? zeros : "");
	for (i = 0; i < 2 * MANY; i++) {
		snprintf(hex, sizeof(hex), "%04x", i);
		memcpy(text + strlen(digest_alg_name(alg)) + 1 + at, hex, 4);
		if (digest_parse(&d, text, strlen(text)) == 0 && i % 2 == 0)
			digestset_add(&s, &d);
	}
	for (i = 0; i < 2 * MANY; i += 97) {
		snprintf(hex, sizeof(hex), "%04x", i);
		memcpy(text + strlen(digest_alg_name(alg)) + 1 + at, hex, 4);
		if (digest_parse(&d, text, strlen(text)) == 0 && i % 2 == 0)
			missing += !digestset_has(&s, &d);
		else
			extra += digestset_has(&s, &d);
	}
	ok(missing == 0 && extra == 0, "%s, alike but for the digits from %zu on: all are found, and nothing else", digest_alg_name(alg), at);
	longest = longest_row(&s, alg);
	if (!ok(longest < 1000, "and a search reads fewer than 1000 slots of %zu", s.of[alg].cap))
		printf("# %zu\n", longest);
}

static void test_all_chosen(void)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	static const size_t at[] = { 0, 4, 8, 12, 16, 28, 32, 44, 48, 60 };

	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		test_chosen(DIGEST_SHA256, zeros, at[i]);
		test_chosen(DIGEST_SHA512, zeros, at[i]);
	}
}

/* The order in which a process writes the digests of a set, which is the order of their slots. */
static void order_of(struct str *out)
{
	cleanup_digestset struct digestset s = DIGESTSET_INIT;

	for (unsigned i = 0; i < 100; i++) {
		struct digest d = nth(DIGEST_SHA256, i);

		digestset_add(&s, &d);
	}
	digestset_write(&s, out);
}

/* Must run before this process uses a set: a child inherits the secret of its parent. */
static void test_secret(void)
{
	cleanup_str struct str mine = STR_INIT;
	char other[100 * (1 + DIGESTSET_KEY)];
	size_t have = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		order_of(&mine);
		_exit(write(fds[1], mine.buf, mine.len) == (ssize_t)mine.len ? 0 : 1);
	}
	close(fds[1]);
	while ((n = read(fds[0], other + have, sizeof(other) - have)) > 0)
		have += (size_t)n;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	order_of(&mine);
	is_int(mine.len, sizeof(other), "a set of 100 digests is so many bytes");
	is_int(have, mine.len, "in another process, too");
	ok(memcmp(mine.buf, other, have) != 0, "in another order: each process has its own secret");
}

static void test_ends(void)
{
	cleanup_digestset struct digestset s = DIGESTSET_INIT;
	struct digest none = parsed("sha256:0000000000000000000000000000000000000000000000000000000000000000");
	struct digest all = parsed("sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");

	digestset_add(&s, &all);
	ok(!digestset_has(&s, &none), "a slot that is free is not the digest of zeros");
	digestset_add(&s, &none);
	ok(digestset_has(&s, &none) && digestset_has(&s, &all), "the digests of zeros and of ones are like any other");
}

static void test_bytes(void)
{
	cleanup_digestset struct digestset s = DIGESTSET_INIT, copy = DIGESTSET_INIT;
	cleanup_str struct str bytes = STR_INIT;
	struct digest a, b;

	digest_of(&a, DIGEST_SHA256, "a", 1);
	digest_of(&b, DIGEST_SHA512, "b", 1);
	digestset_write(&s, &bytes);
	is_int(bytes.len, 0, "an empty set is no bytes");
	is_int(digestset_read(&copy, bytes.buf, bytes.len), 0, "which are accepted");
	digestset_add(&s, &a);
	digestset_add(&s, &b);
	digestset_write(&s, &bytes);
	is_int(digestset_read(&copy, bytes.buf, bytes.len), 0, "the bytes of a set are accepted");
	ok(digestset_has(&copy, &a) && digestset_has(&copy, &b) && digestset_count(&copy) == 2, "and hold all of it");
	is_int(digestset_read(&copy, bytes.buf, bytes.len), 0, "twice is no more than once");
	is_int(digestset_count(&copy), 2, "the set stays as it is");
	is_int(digestset_read(&copy, bytes.buf, bytes.len - 1), -1, "bytes that are cut are refused");
	bytes.buf[0] = DIGEST_ALG_COUNT;
	is_int(digestset_read(&copy, bytes.buf, bytes.len), -1, "those of another algorithm, too");
}

int main(void)
{
	test_secret();
	test_empty();
	test_many(DIGEST_SHA256);
	test_many(DIGEST_SHA512);
	test_all_chosen();
	test_ends();
	test_bytes();
	return done_testing();
}
