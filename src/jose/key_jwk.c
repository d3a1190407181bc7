/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_jwk: keys as JSON Web Keys (RFC 7517; their members: RFC 7518 section 6, RFC 8037).
 *
 * Owns nothing. A part of `key`. Symmetric keys are not read, so none can be mistaken for a public key.
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/mem.h"
#include "jose/key_own.h"

/* A member in base64url of at most max bytes: 0, or -1 with *e. */
static int get_bytes(struct json_object *jwk, const char *name, size_t max, struct str *out, struct err *e)
{
	const char *text;
	size_t len;

	out->max = max;
	if (json_get_string(jwk, name, &text, &len) != 1)
		return err_set(e, ERR_UNKNOWN, "a JWK without \"%s\"", name);
	if (b64_decode(B64_URL, text, len, out) < 0 || !out->len)
		return err_set(e, ERR_UNKNOWN, "a JWK with a \"%s\" that is too long or not base64url", name);
	return 0;
}

static struct key *from_params(const char *type, OSSL_PARAM_BLD *bld, struct err *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *pkey = NULL;
	bool good;

	if (!ctx || !params)
		abort();
	good = EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	if (good)
		return key_adopt_configured(pkey, e);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	err_set(e, ERR_UNKNOWN, "a JWK with invalid numbers");
	return NULL;
}

static struct key *read_rsa(struct json_object *jwk, struct err *e)
{
	cleanup_str struct str n = STR_INIT, exp = STR_INIT;
	OSSL_PARAM_BLD *bld;
	BIGNUM *bn, *be;
	struct key *k;

	if (get_bytes(jwk, "n", KEY_RSA_MAX_BITS / 8 + 1, &n, e) < 0 || get_bytes(jwk, "e", 8, &exp, e) < 0)
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	bn = BN_bin2bn((const unsigned char *)n.buf, (int)n.len, NULL);
	be = BN_bin2bn((const unsigned char *)exp.buf, (int)exp.len, NULL);
	if (!bld || !bn || !be || !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) ||
	    !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
		abort();
	k = from_params("RSA", bld, e);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return k;
}

static struct key *read_ec(struct json_object *jwk, struct err *e)
{
	cleanup_str struct str x = STR_INIT, y = STR_INIT, point = STR_INIT;
	const struct key_curve *curve;
	enum key_kind kind;
	OSSL_PARAM_BLD *bld;
	const char *name;
	struct key *k;
	size_t len;

	json_get_string(jwk, "crv", &name, &len);
	for (kind = KEY_P256; (curve = key_curve(kind)) != NULL; kind++)
		if (name && strcmp(name, curve->jose) == 0)
			break;
	if (!curve) {
		err_set(e, ERR_UNKNOWN, "an EC key on a curve other than P-256, P-384 and P-521");
		return NULL;
	}
	if (get_bytes(jwk, "x", curve->size, &x, e) < 0 || get_bytes(jwk, "y", curve->size, &y, e) < 0)
		return NULL;
	if (x.len != curve->size || y.len != curve->size) {
		err_set(e, ERR_UNKNOWN, "an EC key with a coordinate that is too short");
		return NULL;
	}
	str_addc(&point, 4);                    /* uncompressed */
	str_add(&point, x.buf, x.len);
	str_add(&point, y.buf, y.len);
	bld = OSSL_PARAM_BLD_new();
	if (!bld || !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point.buf, point.len))
		abort();
	k = from_params("EC", bld, e);
	OSSL_PARAM_BLD_free(bld);
	return k;
}

static struct key *read_okp(struct json_object *jwk, struct err *e)
{
	cleanup_str struct str x = STR_INIT;
	EVP_PKEY *pkey;
	const char *name;
	size_t len;

	json_get_string(jwk, "crv", &name, &len);
	if (!name || strcmp(name, "Ed25519") != 0) {
		err_set(e, ERR_UNKNOWN, "an OKP key on a curve other than Ed25519");
		return NULL;
	}
	if (get_bytes(jwk, "x", KEY_ED25519_LEN, &x, e) < 0)
		return NULL;
	pkey = x.len == KEY_ED25519_LEN ? EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (unsigned char *)x.buf, x.len) : NULL;
	if (!pkey) {
		ERR_clear_error();
		err_set(e, ERR_UNKNOWN, "an Ed25519 key that is not 32 bytes long");
		return NULL;
	}
	return key_adopt(pkey, false, e);
}

/* RFC 7517, 4.2 and 4.3: refuse keys for other uses. */
static int check_use(struct json_object *jwk, struct err *e)
{
	struct json_object *ops;
	const char *use;
	size_t len, i;
	int has = json_get_string(jwk, "use", &use, &len);

	if (has < 0 || (has && strcmp(use, "sig") != 0))
		return err_set(e, ERR_UNKNOWN, "a JWK whose \"use\" is not \"sig\"");
	switch (json_get_array(jwk, "key_ops", &ops)) {
	case 0:
		return 0;
	case 1:
		for (i = 0; i < json_object_array_length(ops); i++) {
			struct json_object *op = json_object_array_get_idx(ops, i);

			if (json_object_is_type(op, json_type_string) && strcmp(json_object_get_string(op), "verify") == 0)
				return 0;
		}
		break;
	default:
		break;
	}
	return err_set(e, ERR_UNKNOWN, "a JWK whose \"key_ops\" do not include \"verify\"");
}

struct key *key_from_jwk(struct json_object *jwk, struct err *e)
{
	static const struct {
		const char *kty;
		struct key *(*read)(struct json_object *jwk, struct err *e);
	} types[] = {
		{ "RSA", read_rsa },
		{ "EC", read_ec },
		{ "OKP", read_okp },
	};
	const char *kty;
	size_t len, i;

	if (!json_object_is_type(jwk, json_type_object) || json_get_string(jwk, "kty", &kty, &len) != 1) {
		err_set(e, ERR_UNKNOWN, "not a JWK: no \"kty\"");
		return NULL;
	}
	if (check_use(jwk, e) < 0)
		return NULL;
	for (i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(kty, types[i].kty) == 0)
			return types[i].read(jwk, e);
	err_set(e, ERR_UNKNOWN, "a JWK of an unsupported type: %s", kty);
	return NULL;
}

void key_add_jwk(const struct key *k, struct str *out)
{
	cleanup_str struct str members = STR_INIT;

	key_add_members(k, &members);
	str_add(out, members.buf, members.len - 1);
	str_addf(out, ",\"kid\":\"%s\",\"use\":\"sig\"}", k->thumbprint);
}
