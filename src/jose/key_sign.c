/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_sign: JOSE's signature algorithms (RFC 7518 section 3, RFC 8037).
 *
 * Owns the table of algorithms. Each is for one kind of key, so the header of a token cannot make a key be used as another
 * kind. `none` and the HMACs are not in the table. A part of `key`.
 */

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "jose/key_own.h"

#define ED25519_SIG_LEN 64

static const struct {
	const char *name;
	enum key_kind kind;
	const char *md;                 /* NULL: the algorithm includes its hash */
	bool pss;
} algs[KEY_ALG_COUNT] = {
	[KEY_EDDSA] = { "EdDSA", KEY_ED25519, NULL, false },
	[KEY_ES256] = { "ES256", KEY_P256, "SHA256", false },
	[KEY_ES384] = { "ES384", KEY_P384, "SHA384", false },
	[KEY_ES512] = { "ES512", KEY_P521, "SHA512", false },
	[KEY_RS256] = { "RS256", KEY_RSA, "SHA256", false },
	[KEY_RS384] = { "RS384", KEY_RSA, "SHA384", false },
	[KEY_RS512] = { "RS512", KEY_RSA, "SHA512", false },
	[KEY_PS256] = { "PS256", KEY_RSA, "SHA256", true },
};

int key_alg_parse(const char *s, size_t len, enum key_alg *out)
{
	int i;

	*out = KEY_ALG_COUNT;
	for (i = 0; i < KEY_ALG_COUNT; i++) {
		if (len == strlen(algs[i].name) && memcmp(s, algs[i].name, len) == 0) {
			*out = (enum key_alg)i;
			return 0;
		}
	}
	return -1;
}

const char *key_alg_name(enum key_alg alg)
{
	return algs[alg].name;
}

bool key_fits(const struct key *k, enum key_alg alg)
{
	return algs[alg].kind == k->kind;
}

enum key_alg key_default_alg(const struct key *k)
{
	int i;

	for (i = 0; algs[i].kind != k->kind; i++)
		;
	return (enum key_alg)i;
}

/* RFC 7518, 3.3 to 3.5: the padding; PSS has a salt as long as the hash, and MGF1 with the same hash. */
static bool set_padding(EVP_PKEY_CTX *ctx, enum key_alg alg)
{
	if (algs[alg].kind != KEY_RSA)
		return true;
	if (!algs[alg].pss)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, algs[alg].md, NULL) == 1;
}

/* From JOSE's r || s to the DER of libcrypto, which allocates it; NULL if the length is not the curve's. */
static unsigned char *to_der(const struct key_curve *curve, const unsigned char *sig, size_t siglen, int *derlen)
{
	ECDSA_SIG *pair;
	unsigned char *der = NULL;
	BIGNUM *r, *s;

	if (siglen != 2 * curve->size)
		return NULL;
	pair = ECDSA_SIG_new();
	r = BN_bin2bn(sig, (int)curve->size, NULL);
	s = BN_bin2bn(sig + curve->size, (int)curve->size, NULL);
	if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1)
		abort();
	*derlen = i2d_ECDSA_SIG(pair, &der);
	ECDSA_SIG_free(pair);
	return *derlen > 0 ? der : NULL;
}

static bool verify(const struct key *k, enum key_alg alg, const void *data, size_t len, const unsigned char *sig, size_t siglen)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool good;

	if (!ctx)
		abort();
	good = EVP_DigestVerifyInit_ex(ctx, &pctx, algs[alg].md, NULL, NULL, k->pkey, NULL) == 1 && set_padding(pctx, alg) &&
	       EVP_DigestVerify(ctx, sig, siglen, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

bool key_verify(const struct key *k, enum key_alg alg, const void *data, size_t len, const void *sig, size_t siglen)
{
	const struct key_curve *curve = key_curve(k->kind);
	unsigned char *der;
	int derlen = 0;
	bool good;

	if (!key_fits(k, alg))
		return false;
	if (!curve) {
		/* an RSA signature is as long as the modulus, leading zeros included (RFC 8017, 8.2.2) */
		if (siglen != (k->kind == KEY_RSA ? (size_t)EVP_PKEY_get_size(k->pkey) : ED25519_SIG_LEN))
			return false;
		return verify(k, alg, data, len, sig, siglen);
	}
	der = to_der(curve, sig, siglen, &derlen);
	if (!der)
		return false;
	good = verify(k, alg, data, len, der, (size_t)derlen);
	OPENSSL_free(der);
	return good;
}

/* From libcrypto's DER to r || s; 0 or -1. */
static int from_der(const struct key_curve *curve, const unsigned char *der, size_t len, struct str *sig)
{
	unsigned char raw[2 * KEY_COORDINATE_MAX];
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int n = (int)curve->size, rc = -1;

	if (pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, n) == n &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + n, n) == n) {
		str_add(sig, raw, 2 * curve->size);
		rc = 0;
	}
	ECDSA_SIG_free(pair);
	OPENSSL_cleanse(raw, sizeof(raw));
	return rc;
}

int key_sign(const struct key *k, enum key_alg alg, const void *data, size_t len, struct str *sig, struct err *e)
{
	unsigned char raw[KEY_SIGNATURE_MAX];
	EVP_PKEY_CTX *pctx = NULL;
	EVP_MD_CTX *ctx;
	size_t n = sizeof(raw);
	bool good;

	if (!k->is_private || !key_fits(k, alg))
		return err_set(e, ERR_UNKNOWN, "this key does not sign with %s", algs[alg].name);
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		abort();
	good = EVP_DigestSignInit_ex(ctx, &pctx, algs[alg].md, NULL, NULL, k->pkey, NULL) == 1 && set_padding(pctx, alg) &&
	       EVP_DigestSign(ctx, raw, &n, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (good && key_curve(k->kind))
		good = from_der(key_curve(k->kind), raw, n, sig) == 0;
	else if (good)
		str_add(sig, raw, n);
	OPENSSL_cleanse(raw, sizeof(raw));
	return good ? 0 : err_set(e, ERR_UNKNOWN, "cannot sign");
}
