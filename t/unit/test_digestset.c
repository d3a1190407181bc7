/* SPDX-License-Identifier: Apache-2.0 */
/* digestset: what was added is there, nothing else is, however many there are and whatever their first bytes. */

#include <stdio.h>
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
	is_int(digestset_count(&s), MANY, "%s: what is added twice counts once", digest_alg_name(alg));
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

/* The first bytes choose the slot: the same ones for all must cost time alone. */
static void test_same_slot(void)
{
	cleanup_digestset struct digestset s = DIGESTSET_INIT;
	char text[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
	unsigned i, missing = 0, extra = 0;
	struct digest d;

	for (i = 0; i < 1024; i++) {
		snprintf(text + sizeof(text) - 5, 5, "%04x", i);
		if (digest_parse(&d, text, sizeof(text) - 1) == 0 && i % 2 == 0)
			digestset_add(&s, &d);
	}
	for (i = 0; i < 1024; i++) {
		snprintf(text + sizeof(text) - 5, 5, "%04x", i);
		if (digest_parse(&d, text, sizeof(text) - 1) == 0 && i % 2 == 0)
			missing += !digestset_has(&s, &d);
		else
			extra += digestset_has(&s, &d);
	}
	is_int(missing, 0, "digests that differ in the last bytes alone are all found");
	is_int(extra, 0, "and are not taken for one another");
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
	is_int(digestset_read(&copy, bytes.buf, bytes.len), 0, "which are taken");
	digestset_add(&s, &a);
	digestset_add(&s, &b);
	digestset_write(&s, &bytes);
	is_int(digestset_read(&copy, bytes.buf, bytes.len), 0, "the bytes of a set are taken");
	ok(digestset_has(&copy, &a) && digestset_has(&copy, &b) && digestset_count(&copy) == 2, "and hold all of it");
	is_int(digestset_read(&copy, bytes.buf, bytes.len), 0, "twice is no more than once");
	is_int(digestset_count(&copy), 2, "the set stays as it is");
	is_int(digestset_read(&copy, bytes.buf, bytes.len - 1), -1, "bytes that are cut are refused");
	bytes.buf[0] = DIGEST_ALG_COUNT;
	is_int(digestset_read(&copy, bytes.buf, bytes.len), -1, "those of another algorithm, too");
}

int main(void)
{
	test_empty();
	test_many(DIGEST_SHA256);
	test_many(DIGEST_SHA512);
	test_same_slot();
	test_ends();
	test_bytes();
	return done_testing();
}
