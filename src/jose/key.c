/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: struct key, the supported types and sizes, and the names of a key.
 *
 * Invariant: a struct key is of a kind of enum key_kind, on a named curve if EC, of 2048 to 8192 bits if RSA. Only the files
 * key*.c know libcrypto's keys, and none of them knows what a token is.
 */
#include "jose/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/mem.h"
#include "jose/key_own.h"

void key_close(struct key **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->pkey);
	free(*k);
	*k = NULL;
}

struct key *key_share(const struct key *k)
{
	struct key *other = xmalloc(sizeof(*other));

	*other = *k;
	EVP_PKEY_up_ref(other->pkey);
	return other;
}

enum key_kind key_kind(const struct key *k)
{
	return k->kind;
}

bool key_is_private(const struct key *k)
{
	return k->is_private;
}

const char *key_thumbprint(const struct key *k)
{
	return k->thumbprint;
}

const char *key_libtrust_id(const struct key *k)
{
	return k->libtrust;
}

const struct key_curve *key_curve(enum key_kind kind)
{
	static const struct key_curve curves[] = {
		[KEY_P256] = { "P-256", "prime256v1", 32 },
		[KEY_P384] = { "P-384", "secp384r1", 48 },
		[KEY_P521] = { "P-521", "secp521r1", 66 },
	};

	return kind == KEY_P256 || kind == KEY_P384 || kind == KEY_P521 ? &curves[kind] : NULL;
}

static int check_rsa(const EVP_PKEY *pkey, struct err *e)
{
	BIGNUM *exponent = NULL;
	int bits = EVP_PKEY_get_bits(pkey);
	bool good;

	if (bits < KEY_RSA_MIN_BITS || bits > KEY_RSA_MAX_BITS)
		return err_set(e, ERR_UNKNOWN, "an RSA key of %d bits; %d to %d are supported", bits, KEY_RSA_MIN_BITS, KEY_RSA_MAX_BITS);
	good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 && BN_is_odd(exponent) &&
	       !BN_is_one(exponent) && BN_num_bits(exponent) <= 64;
	BN_free(exponent);
	return good ? 0 : err_set(e, ERR_UNKNOWN, "an RSA key with an unsupported exponent");
}

static int check_ec(EVP_PKEY *pkey, enum key_kind *kind, struct err *e)
{
	char group[32] = "";
	size_t len = 0;
	int is_explicit = 0;

	EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
	if (is_explicit)
		return err_set(e, ERR_UNKNOWN, "an EC key with explicit curve parameters");
	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1)
		group[0] = '\0';
	for (*kind = KEY_P256; *kind <= KEY_P521; (*kind)++)
		if (strcmp(group, key_curve(*kind)->group) == 0)
			break;
	if (*kind > KEY_P521)
		return err_set(e, ERR_UNKNOWN, "an EC key on a curve other than P-256, P-384 and P-521");
	/* the libtrust id hashes the SubjectPublicKeyInfo: the point must have the same form in it, whatever form was read */
	if (EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") != 1)
		return err_set(e, ERR_UNKNOWN, "an EC key that cannot be encoded");
	return 0;
}

static int check(EVP_PKEY *pkey, enum key_kind *kind, struct err *e)
{
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		*kind = KEY_RSA;
		return check_rsa(pkey, e);
	}
	if (EVP_PKEY_is_a(pkey, "EC"))
		return check_ec(pkey, kind, e);
	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*kind = KEY_ED25519;
		return 0;
	}
	return err_set(e, ERR_UNKNOWN, "a key of an unsupported type; RSA, EC and Ed25519 are supported");
}

static void sha256(const void *data, size_t len, unsigned char md[KEY_SHA256_LEN])
{
	size_t n = 0;

	if (EVP_Q_digest(NULL, "SHA256", NULL, data, len, md, &n) != 1 || n != KEY_SHA256_LEN)
		abort();        /* a libcrypto without SHA-2 */
}

/* "name":"number", big-endian; padded to size bytes unless that is 0 */
static void add_number(struct str *out, const struct key *k, const char *name, const char *param, size_t size)
{
	unsigned char bytes[KEY_RSA_MAX_BITS / 8];
	BIGNUM *n = NULL;

	if (EVP_PKEY_get_bn_param(k->pkey, param, &n) != 1)
		abort();
	if (!size)
		size = (size_t)BN_num_bytes(n);
	if (size > sizeof(bytes) || BN_bn2binpad(n, bytes, (int)size) < 0)
		abort();
	BN_free(n);
	str_addf(out, "\"%s\":\"", name);
	b64_encode(B64_URL, bytes, size, out);
	str_addc(out, '"');
}

void key_add_members(const struct key *k, struct str *out)
{
	const struct key_curve *curve = key_curve(k->kind);
	unsigned char raw[KEY_ED25519_LEN];
	size_t len = sizeof(raw);

	if (curve) {
		str_addf(out, "{\"crv\":\"%s\",\"kty\":\"EC\",", curve->jose);
		add_number(out, k, "x", OSSL_PKEY_PARAM_EC_PUB_X, curve->size);
		str_addc(out, ',');
		add_number(out, k, "y", OSSL_PKEY_PARAM_EC_PUB_Y, curve->size);
	} else if (k->kind == KEY_RSA) {
		str_addc(out, '{');
		add_number(out, k, "e", OSSL_PKEY_PARAM_RSA_E, 0);
		str_puts(out, ",\"kty\":\"RSA\",");
		add_number(out, k, "n", OSSL_PKEY_PARAM_RSA_N, 0);
	} else {
		if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &len) != 1 || len != sizeof(raw))
			abort();
		str_puts(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
		b64_encode(B64_URL, raw, len, out);
		str_addc(out, '"');
	}
	str_addc(out, '}');
}

static void set_thumbprint(struct key *k)
{
	cleanup_str struct str members = STR_INIT, text = STR_INIT;
	unsigned char md[KEY_SHA256_LEN];

	key_add_members(k, &members);
	sha256(members.buf, members.len, md);
	b64_encode(B64_URL, md, sizeof(md), &text);
	memcpy(k->thumbprint, text.buf, sizeof(k->thumbprint));
}

static int set_libtrust(struct key *k)
{
	static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned char md[KEY_SHA256_LEN], *der = NULL;
	int len = i2d_PUBKEY(k->pkey, &der), i;
	char *p = k->libtrust;

	if (len <= 0)
		return -1;
	sha256(der, (size_t)len, md);
	OPENSSL_free(der);
	for (i = 0; i < 48; i++) {              /* 240 bits, five at a time */
		unsigned int bit = (unsigned int)i * 5, two = (unsigned int)md[bit / 8] << 8 | md[bit / 8 + 1];

		if (i && i % 4 == 0)
			*p++ = ':';
		*p++ = base32[two >> (11 - bit % 8) & 31];
	}
	*p = '\0';
	return 0;
}

struct key *key_adopt(EVP_PKEY *pkey, bool is_private, struct err *e)
{
	struct key *k = xcalloc(1, sizeof(*k));

	k->pkey = pkey;
	k->is_private = is_private;
	if (check(pkey, &k->kind, e) < 0) {
		key_close(&k);
	} else if (set_libtrust(k) < 0) {
		err_set(e, ERR_UNKNOWN, "a key that cannot be encoded");
		key_close(&k);
	} else {
		set_thumbprint(k);
	}
	ERR_clear_error();
	return k;
}

struct key *key_adopt_configured(EVP_PKEY *pkey, struct err *e)
{
	struct key *k = key_adopt(pkey, false, e);
	EVP_PKEY_CTX *ctx;
	bool good;

	if (!k || k->kind == KEY_ED25519)
		return k;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	good = ctx && EVP_PKEY_public_check_quick(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	if (!good) {
		err_set(e, ERR_UNKNOWN, "a key with invalid numbers");
		key_close(&k);
	}
	return k;
}
