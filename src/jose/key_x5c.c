/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_x5c: keys from certificate chains.
 *
 * Owns the trusted roots and the verification of a chain. Invariant: a chain is verified only against the roots that were
 * added, never against those of the system, and nothing is fetched from the network. A part of `key`.
 */

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/mem.h"
#include "jose/key_own.h"

#define AUTH_LEVEL 2                    /* libcrypto's level: 112 bits of security, so no SHA-1 and no RSA below 2048 bits */
#define DER_MAX 16384

struct key_roots {
	X509_STORE *store;
};

struct key_roots *key_roots_open(void)
{
	struct key_roots *r = xcalloc(1, sizeof(*r));

	r->store = X509_STORE_new();
	if (!r->store)
		abort();
	return r;
}

void key_roots_close(struct key_roots **r)
{
	if (!*r)
		return;
	X509_STORE_free((*r)->store);
	free(*r);
	*r = NULL;
}

static X509 *read_der(const unsigned char *der, size_t len)
{
	const unsigned char *p = der;
	X509 *cert = d2i_X509(NULL, &p, (long)len);

	if (cert && p != der + len) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

int key_roots_add_pem(struct key_roots *r, const char *text, size_t len)
{
	BIO *bio = BIO_new_mem_buf(text, len > INT_MAX ? INT_MAX : (int)len);
	int added = 0;

	if (!bio)
		abort();
	for (;;) {
		char *name = NULL, *header = NULL;
		unsigned char *der = NULL;
		X509 *cert = NULL;
		long n = 0;

		ERR_clear_error();
		if (PEM_read_bio(bio, &name, &header, &der, &n) != 1) {
			if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
				break;
			continue;               /* a malformed block: each call reads on */
		}
		if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
			cert = read_der(der, (size_t)n);
		if (cert && X509_STORE_add_cert(r->store, cert) == 1)
			added++;
		X509_free(cert);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n);
	}
	ERR_clear_error();
	BIO_free(bio);
	return added;
}

/* One entry of an x5c, owned; NULL with *e. */
static X509 *read_entry(struct json_object *entry, struct err *e)
{
	cleanup_str struct str der = STR_INIT;
	X509 *cert = NULL;

	der.max = DER_MAX;
	if (json_object_is_type(entry, json_type_string) &&
	    b64_decode(B64_PADDED, json_object_get_string(entry), (size_t)json_object_get_string_len(entry), &der) == 0)
		cert = read_der((unsigned char *)der.buf, der.len);
	if (!cert)
		err_set(e, ERR_UNKNOWN, "an x5c with an entry that is not a certificate");
	return cert;
}

/* The entries after the leaf. */
static STACK_OF(X509) *read_between(struct json_object *x5c, struct err *e)
{
	STACK_OF(X509) *chain = sk_X509_new_null();

	if (!chain)
		abort();
	for (size_t i = 1; i < json_object_array_length(x5c); i++) {
		X509 *cert = read_entry(json_object_array_get_idx(x5c, i), e);

		if (!cert) {
			sk_X509_pop_free(chain, X509_free);
			return NULL;
		}
		if (!sk_X509_push(chain, cert))
			abort();
	}
	return chain;
}

static int verify(const struct key_roots *r, X509 *leaf, STACK_OF(X509) *between, int64_t now, struct err *e)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int rc = 0;

	if (!ctx || X509_STORE_CTX_init(ctx, r->store, leaf, between) != 1)
		abort();
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	X509_VERIFY_PARAM_set_depth(param, KEY_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	/* a chain may end at any certificate of the bundle, self-signed or not, as with registry:2 */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (X509_verify_cert(ctx) != 1)
		rc = err_set(e, ERR_UNKNOWN, "an x5c that does not verify: %s",
			     X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	return rc;
}

struct key *key_from_x5c(const struct key_roots *r, struct json_object *x5c, int64_t now, struct err *e)
{
	STACK_OF(X509) *between = NULL;
	struct key *k = NULL;
	EVP_PKEY *pkey;
	X509 *leaf;

	if (!json_object_is_type(x5c, json_type_array) || !json_object_array_length(x5c) ||
	    json_object_array_length(x5c) > KEY_CHAIN_MAX) {
		err_set(e, ERR_UNKNOWN, "an x5c that is not a list of 1 to %d certificates", KEY_CHAIN_MAX);
		return NULL;
	}
	leaf = read_entry(json_object_array_get_idx(x5c, 0), e);
	if (leaf)
		between = read_between(x5c, e);
	if (!between || verify(r, leaf, between, now, e) < 0)
		goto out;
	if (!(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE)) {       /* without the extension all bits are set */
		err_set(e, ERR_UNKNOWN, "an x5c whose certificate is not for signatures");
		goto out;
	}
	pkey = X509_get_pubkey(leaf);
	if (pkey)
		k = key_adopt(pkey, false, e);
	else
		err_set(e, ERR_UNKNOWN, "an x5c whose certificate has an unsupported key");
out:
	sk_X509_pop_free(between, X509_free);
	X509_free(leaf);
	ERR_clear_error();
	return k;
}
