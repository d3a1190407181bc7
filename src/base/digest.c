/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: names of content, and the hashing behind them.
 *
 * Owns the table of algorithms and the use of libcrypto's EVP interface. Invariant: a struct digest that a function here
 * returned as valid has the name of an algorithm, a colon and exactly its number of lower-case hex digits.
 */

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "base/mem.h"

static const struct {
	const char *name;
	size_t name_len;
	size_t hex_len;
	const char *evp;
} algs[DIGEST_ALG_COUNT] = {
	[DIGEST_SHA256] = { "sha256", 6, 64, "SHA256" },
	[DIGEST_SHA512] = { "sha512", 6, 128, "SHA512" },
};

struct digester {
	enum digest_alg alg;
	EVP_MD_CTX *ctx;
};

/* Without branches: processors cannot predict the digits of a digest, and a collection checks a million digests. */
static bool lower_hex(const char *s, size_t len)
{
	static const bool digit[256] = { ['0' ... '9'] = true, ['a' ... 'f'] = true };
	unsigned good = 1;
	size_t i;

	for (i = 0; i < len; i++)
		good &= digit[(unsigned char)s[i]];
	return good;
}

int digest_of_hex(struct digest *d, enum digest_alg alg, const char *hex, size_t len)
{
	size_t head = algs[alg].name_len;

	d->text[0] = '\0';
	if (len != algs[alg].hex_len || !lower_hex(hex, len))
		return -1;
	d->alg = alg;
	memcpy(d->text, algs[alg].name, head);
	d->text[head] = ':';
	memcpy(d->text + head + 1, hex, len);
	d->text[head + 1 + len] = '\0';
	return 0;
}

int digest_parse(struct digest *d, const char *s, size_t len)
{
	int i;

	for (i = 0; i < DIGEST_ALG_COUNT; i++) {
		size_t head = algs[i].name_len + 1;

		if (len != head + algs[i].hex_len || memcmp(s, algs[i].name, head - 1) != 0 || s[head - 1] != ':' ||
		    !lower_hex(s + head, algs[i].hex_len))
			continue;
		d->alg = (enum digest_alg)i;
		memmove(d->text, s, len);       /* s may be d's own text */
		d->text[len] = '\0';
		return 0;
	}
	memset(d, 0, sizeof(*d));
	return -1;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return digest_cmp(a, b) == 0;
}

int digest_cmp(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text);
}

size_t digest_hex_len(enum digest_alg alg)
{
	return algs[alg].hex_len;
}

const char *digest_alg_name(enum digest_alg alg)
{
	return algs[alg].name;
}

const char *digest_hex(const struct digest *d)
{
	return d->text + algs[d->alg].name_len + 1;
}

static unsigned value_of(char hex)
{
	return (unsigned)(hex <= '9' ? hex - '0' : hex - 'a' + 10);
}

void digest_bytes(const struct digest *d, unsigned char *out, size_t count)
{
	const char *hex = digest_hex(d);
	size_t i;

	for (i = 0; i < count; i++)
		out[i] = (unsigned char)(value_of(hex[2 * i]) << 4 | value_of(hex[2 * i + 1]));
}

/* Fetched once: that searches OpenSSL's providers under a lock, and takes longer than hashing a short text. */
static const EVP_MD *md_of(enum digest_alg alg)
{
	static EVP_MD *fetched[DIGEST_ALG_COUNT];

	if (!fetched[alg]) {
		fetched[alg] = EVP_MD_fetch(NULL, algs[alg].evp, NULL);
		if (!fetched[alg])
			abort();        /* a libcrypto without SHA-2: nothing can be served */
	}
	return fetched[alg];
}

struct digester *digester_open(enum digest_alg alg)
{
	struct digester *h = xcalloc(1, sizeof(*h));

	h->alg = alg;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || !EVP_DigestInit_ex2(h->ctx, md_of(alg), NULL))
		abort();
	return h;
}

void digester_add(struct digester *h, const void *data, size_t len)
{
	if (len && !EVP_DigestUpdate(h->ctx, data, len))
		abort();
}

static void set_text(struct digest *out, enum digest_alg alg, const unsigned char *md, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	char *p = out->text;
	size_t i;

	out->alg = alg;
	memcpy(p, algs[alg].name, algs[alg].name_len);
	p += algs[alg].name_len;
	*p++ = ':';
	for (i = 0; i < len; i++) {
		*p++ = hex[md[i] >> 4];
		*p++ = hex[md[i] & 15];
	}
	*p = '\0';
}

void digester_finish(struct digester *h, struct digest *out)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (!EVP_DigestFinal_ex(h->ctx, md, &len) || len * 2 != algs[h->alg].hex_len)
		abort();
	set_text(out, h->alg, md, len);
}

void digester_close(struct digester **h)
{
	if (!*h)
		return;
	EVP_MD_CTX_free((*h)->ctx);
	free(*h);
	*h = NULL;
}

void digest_of(struct digest *out, enum digest_alg alg, const void *data, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int mdlen = 0;

	if (!EVP_Digest(data, len, md, &mdlen, md_of(alg), NULL) || mdlen * 2 != algs[alg].hex_len)
		abort();
	set_text(out, alg, md, mdlen);
}

struct hmac {
	EVP_MAC_CTX *ctx;
	size_t key_len;
	unsigned char key[];
};

struct hmac *hmac_open(const void *key, size_t key_len)
{
	static char sha256[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_END };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	struct hmac *h = xcalloc(1, sizeof(*h) + key_len);

	h->ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	if (!h->ctx || !EVP_MAC_CTX_set_params(h->ctx, params))
		abort();
	EVP_MAC_free(mac);
	memcpy(h->key, key, key_len);
	h->key_len = key_len;
	return h;
}

/* Passes the key each time: without it, OpenSSL before 3.0.3 does not start over. */
void hmac_of(struct hmac *h, unsigned char out[DIGEST_MAC_LEN], const void *data, size_t len)
{
	size_t n = 0;

	if (!EVP_MAC_init(h->ctx, h->key, h->key_len, NULL) || !EVP_MAC_update(h->ctx, data, len) ||
	    !EVP_MAC_final(h->ctx, out, &n, DIGEST_MAC_LEN) || n != DIGEST_MAC_LEN)
		abort();
}

void hmac_close(struct hmac **h)
{
	if (!*h)
		return;
	EVP_MAC_CTX_free((*h)->ctx);
	explicit_bzero((*h)->key, (*h)->key_len);
	free(*h);
	*h = NULL;
}

void digest_hmac(unsigned char out[DIGEST_MAC_LEN], const void *key, size_t key_len, const void *data, size_t len)
{
	struct hmac *h = hmac_open(key, key_len);

	hmac_of(h, out, data, len);
	hmac_close(&h);
}
