/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_pem: reading and writing public keys as PEM.
 *
 * Owns the reader. A part of `key`.
 */

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "jose/key_own.h"

struct key_pem {
	BIO *bio;
};

struct key_pem *key_pem_open(const char *text, size_t len)
{
	struct key_pem *p = xcalloc(1, sizeof(*p));

	p->bio = BIO_new_mem_buf(text, len > INT_MAX ? INT_MAX : (int)len);
	if (!p->bio)
		abort();
	return p;
}

void key_pem_close(struct key_pem **p)
{
	if (!*p)
		return;
	BIO_free((*p)->bio);
	free(*p);
	*p = NULL;
}

/* The key of one block; NULL if it has none. */
static EVP_PKEY *block_key(const char *name, const unsigned char *der, long len)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = NULL;

	if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) {
		X509 *cert = d2i_X509(NULL, &p, len);

		if (cert)
			pkey = X509_get_pubkey(cert);
		X509_free(cert);
	} else if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
		pkey = d2i_PUBKEY(NULL, &p, len);
	} else if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0) {
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, len);
	}
	if (pkey && p != der + len) {           /* trailing bytes */
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	return pkey;
}

int key_pem_next(struct key_pem *p, struct key **out, struct err *e)
{
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	EVP_PKEY *pkey = NULL;
	long len = 0;
	int rc;

	*out = NULL;
	ERR_clear_error();
	if (PEM_read_bio(p->bio, &name, &header, &der, &len) != 1) {
		rc = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 :
		     err_set(e, ERR_UNKNOWN, "a malformed PEM block");
		ERR_clear_error();
		return rc;
	}
	if (strstr(name, "PRIVATE KEY")) {
		rc = err_set(e, ERR_UNKNOWN, "a private key where a public key is expected");
	} else {
		pkey = block_key(name, der, len);
		rc = pkey ? 0 : err_set(e, ERR_UNKNOWN, "a PEM block without a public key: %s", name);
	}
	if (pkey) {
		*out = key_adopt_configured(pkey, e);
		rc = *out ? 1 : -1;
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(der, (size_t)len);
	ERR_clear_error();
	return rc;
}

void key_add_pem(const struct key *k, struct str *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (!bio || PEM_write_bio_PUBKEY(bio, k->pkey) != 1)
		abort();
	len = BIO_get_mem_data(bio, &text);
	str_add(out, text, (size_t)len);
	BIO_free(bio);
}
