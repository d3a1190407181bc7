/* SPDX-License-Identifier: Apache-2.0 */
/* digest: strict parsing, and hashing. */

#include "base/digest.h"
#include "base/digestlist.h"
#include "base/mem.h"
#include "tap.h"

#define SHA256_EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA256_ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_ABC "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static int parse(const char *s)
{
	struct digest d;

	return digest_parse(&d, s, strlen(s));
}

static void test_parse(void)
{
	struct digest d;
	char text[DIGEST_TEXT_MAX + 2], c;
	int bad = 0, i;

	is_int(parse(SHA256_ABC), 0, "a sha256 digest is accepted");
	is_int(parse(SHA512_ABC), 0, "a sha512 digest is accepted");
	is_int(digest_parse(&d, SHA512_ABC, strlen(SHA512_ABC)), 0, "a digest is parsed");
	ok(d.alg == DIGEST_SHA512 && strcmp(d.text, SHA512_ABC) == 0, "its algorithm and text are kept");
	is_str(digest_hex(&d), &SHA512_ABC[7], "its hex digits are found");
	is_int(digest_parse(&d, d.text, strlen(d.text)), 0, "its own text can be parsed again");
	is_int(digest_parse(&d, "x", 1), -1, "a text that is not a digest is refused");
	is_str(d.text, "", "and leaves nothing");

	for (i = 0; i <= DIGEST_TEXT_MAX; i++)
		bad += i != 71 && digest_parse(&d, SHA512_ABC, (size_t)i) == 0 && i != DIGEST_TEXT_MAX;
	is_int(bad, 0, "a sha512 digest of any other length is refused");
	bad = 0;
	for (i = 0; i < 71; i++)
		bad += digest_parse(&d, SHA256_ABC, (size_t)i) == 0;
	is_int(bad, 0, "a sha256 digest that is too short is refused");
	is_int(parse(SHA256_ABC "0"), -1, "one digit more is refused");
	is_int(parse(SHA256_ABC "\n"), -1, "a newline behind it is refused");
	bad = 0;
	for (i = 0; i < 256; i++) {
		memcpy(text, SHA256_ABC, sizeof(SHA256_ABC));
		c = (char)i;
		text[40] = c;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			bad += digest_parse(&d, text, 71) == 0;
		else
			bad += digest_parse(&d, text, 71) != 0;
	}
	is_int(bad, 0, "of all bytes only lower-case hex digits are accepted");
	is_int(parse("SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), -1,
	       "an upper-case algorithm is refused");
	is_int(parse("sha256-ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), -1,
	       "another separator is refused");
	is_int(parse("sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), -1,
	       "sha512 with the length of sha256 is refused");
	is_int(parse("sha384:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), -1,
	       "another algorithm is refused");
	is_int(parse("md5:900150983cd24fb0d6963f7d28e17f72"), -1, "md5 is refused");
	is_int(parse(""), -1, "nothing is refused");
	is_int(parse("sha256:"), -1, "an algorithm alone is refused");
}

static void test_hex(void)
{
	struct digest_list l = DIGEST_LIST_INIT;
	unsigned char bytes[32];
	struct digest d;
	int i;

	digest_of(&d, DIGEST_SHA256, "", 0);
	digest_bytes(&d, bytes, sizeof(bytes));
	ok(memcmp(bytes, "\xe3\xb0\xc4\x42", 4) == 0 && bytes[31] == 0x55, "its bytes are those that the digits stand for");
	digest_list_add(&l, &d);
	for (i = 1; i < 100; i++)
		digest_list_add(&l, &l.v[0]);
	ok(l.count == 100 && digest_eq(&l.v[0], &d) && digest_eq(&l.v[99], &d), "a list keeps them in their order");
	digest_list_release(&l);
	ok(l.count == 0 && !l.v, "and is empty when it is released");
	ok(digest_of_hex(&d, DIGEST_SHA256, "abc", 3) < 0 && !*d.text, "digits that are too few make no digest");
}

static void test_hash(void)
{
	cleanup_digester struct digester *h = NULL;
	struct digest a, b;
	char big[70000];
	size_t i;

	digest_of(&a, DIGEST_SHA256, "", 0);
	is_str(a.text, SHA256_EMPTY, "the digest of nothing is right");
	digest_of(&a, DIGEST_SHA256, NULL, 0);
	is_str(a.text, SHA256_EMPTY, "nothing may be no pointer at all");
	digest_of(&a, DIGEST_SHA256, "abc", 3);
	is_str(a.text, SHA256_ABC, "sha256 is computed");
	digest_of(&b, DIGEST_SHA512, "abc", 3);
	is_str(b.text, SHA512_ABC, "sha512 is computed");
	ok(!digest_eq(&a, &b) && digest_cmp(&a, &b) < 0 && digest_cmp(&b, &a) > 0, "digests are ordered by their text");
	ok(digest_eq(&a, &a) && digest_cmp(&b, &b) == 0, "a digest equals itself");

	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	digest_of(&a, DIGEST_SHA512, big, sizeof(big));
	h = digester_open(DIGEST_SHA512);
	digester_add(h, NULL, 0);
	for (i = 0; i < sizeof(big); i += 7)
		digester_add(h, big + i, sizeof(big) - i < 7 ? sizeof(big) - i : 7);
	digester_finish(h, &b);
	ok(digest_eq(&a, &b), "hashing in pieces gives the same as at once");
	digester_close(&h);
	ok(h == NULL, "close leaves no pointer");
	digester_close(&h);
}

/* RFC 4231, test cases 1 and 6. */
static void test_hmac(void)
{
	static const unsigned char want1[] = { 0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
					       0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7 };
	static const unsigned char want6[] = { 0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f,
					       0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54 };
	static const char text6[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	unsigned char key[131], mac[DIGEST_MAC_LEN];
	struct hmac *h;
	int i;

	memset(key, 0x0b, 20);
	digest_hmac(mac, key, 20, "Hi There", 8);
	ok(memcmp(mac, want1, sizeof(mac)) == 0, "an HMAC is that of RFC 4231");
	memset(key, 0xaa, sizeof(key));
	digest_hmac(mac, key, sizeof(key), text6, strlen(text6));
	ok(memcmp(mac, want6, sizeof(mac)) == 0, "with a key longer than a block too");
	h = hmac_open(key, sizeof(key));
	memset(key, 0, sizeof(key));
	for (i = 0; i < 2; i++) {
		hmac_of(h, mac, text6, 10 + (size_t)i);
		hmac_of(h, mac, text6, strlen(text6));
		ok(memcmp(mac, want6, sizeof(mac)) == 0, "with a key that was made ready, again and again");
	}
	hmac_close(&h);
	ok(h == NULL, "close leaves no pointer");
	hmac_close(&h);
}

int main(void)
{
	is_str(digest_alg_name(DIGEST_SHA256), "sha256", "the first algorithm is sha256");
	is_str(digest_alg_name(DIGEST_SHA512), "sha512", "the second is sha512");
	test_parse();
	test_hex();
	test_hash();
	test_hmac();
	return done_testing();
}
