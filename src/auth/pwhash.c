/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pwhash: the schemes, their form, and the calls of libcrypt.
 *
 * Owns nothing between calls. Invariant: no call leaves a copy of a password in memory.
 */
#include "auth/pwhash.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CRYPT64 "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define BCRYPT_LEN 60
#define BCRYPT_COST_MAX 16              /* about three seconds */
#define ROUNDS_MAX 5000000
#define DES_LEN 13

static const struct {
	const char *name, *prefix;
	size_t digits;                  /* characters after the last '$' */
	size_t most;                    /* bytes of a password */
} schemes[PWHASH_SCHEMES] = {
	[PWHASH_BCRYPT] = { "bcrypt", "$2", 53, 72 },
	[PWHASH_YESCRYPT] = { "yescrypt", "$y$", 43, PWHASH_PASSWORD_MAX },
	[PWHASH_SHA512] = { "sha512-crypt", "$6$", 86, PWHASH_PASSWORD_MAX },
	[PWHASH_SHA256] = { "sha256-crypt", "$5$", 43, PWHASH_PASSWORD_MAX },
};

/* Other hashes that are found in password files: their prefix and why they are refused. */
static const struct {
	const char *prefix, *fault;
} others[] = {
	{ "$apr1$", "is MD5 (apr1)" },
	{ "$1$", "is MD5" },
	{ "{SHA}", "is SHA-1" },
	{ "{SSHA}", "is SHA-1" },
	{ "$2x$", "is from a faulty bcrypt" },
	{ "$", "is of a scheme that is not supported" },
	{ "{", "is of a scheme that is not supported" },
	{ "", "is DES crypt, or no hash at all" },
};

static bool begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum pwhash_scheme pwhash_scheme(const char *hash)
{
	for (int i = 0; i < PWHASH_SCHEMES; i++)
		if (begins(hash, schemes[i].prefix))
			return (enum pwhash_scheme)i;
	return PWHASH_SCHEMES;
}

const char *pwhash_scheme_name(enum pwhash_scheme scheme)
{
	return schemes[scheme].name;
}

size_t pwhash_most(enum pwhash_scheme scheme)
{
	return schemes[scheme].most;
}

static bool bcrypt_ok(const char *hash, size_t len)
{
	return len == BCRYPT_LEN && strchr("aby", hash[2]) && hash[6] == '$';
}

/* The rounds of SHA-crypt, 5000 if none are given; 0 if they are not a number. */
static uint64_t rounds_of(const char *hash)
{
	const char *p = hash + strlen("$6$");
	uint64_t n = 5000;

	if (!begins(p, "rounds="))
		return n;
	p += strlen("rounds=");
	return str_parse_u64(p, strcspn(p, "$"), &n) < 0 ? 0 : n;
}

static const char *cost_fault(enum pwhash_scheme s, const char *hash)
{
	uint64_t n;

	if (s == PWHASH_BCRYPT && (str_parse_u64(hash + 4, 2, &n) < 0 || n > BCRYPT_COST_MAX))
		return "has no cost, or one that would take many seconds";
	if ((s == PWHASH_SHA512 || s == PWHASH_SHA256) && (!(n = rounds_of(hash)) || n > ROUNDS_MAX))
		return "has no valid number of rounds, or one that would take many seconds";
	return NULL;
}

const char *pwhash_fault(const char *hash, size_t len)
{
	enum pwhash_scheme s = pwhash_scheme(hash);
	const char *last;
	int salt;

	if (begins(hash, "$2x$"))
		s = PWHASH_SCHEMES;
	for (size_t i = 0; s == PWHASH_SCHEMES && i < ARRAY_LEN(others); i++)
		if (begins(hash, others[i].prefix))
			return others[i].fault;
	last = strrchr(hash, '$') + 1;
	if (len >= CRYPT_OUTPUT_SIZE || strlen(last) != schemes[s].digits || strspn(last, CRYPT64) != schemes[s].digits ||
	    (s == PWHASH_BCRYPT && !bcrypt_ok(hash, len)))
		return "is malformed or cut off";
	if (cost_fault(s, hash))
		return cost_fault(s, hash);
	salt = crypt_checksalt(hash);
	return salt == CRYPT_SALT_OK || salt == CRYPT_SALT_TOO_CHEAP || salt == CRYPT_SALT_METHOD_LEGACY ? NULL : "is malformed";
}

bool pwhash_is_foreign(const char *hash)
{
	size_t len;

	if (begins(hash, "$2x$"))
		return true;
	if (pwhash_scheme(hash) != PWHASH_SCHEMES)
		return false;
	if (*hash == '{')       /* {SHA}, {SSHA512} */
		return strchr(hash, '}') != NULL;
	if (*hash == '$') {     /* $1$, $apr1$, $argon2id$ */
		len = strcspn(hash + 1, "$");
		return len > 0 && hash[1 + len] == '$' && hash[2 + len];
	}
	return strlen(hash) == DES_LEN && strspn(hash, CRYPT64) == DES_LEN;
}

/* Without the salt. */
size_t pwhash_cost(const char *hash)
{
	switch (pwhash_scheme(hash)) {
	case PWHASH_BCRYPT:
		return strlen("$2y$10$");
	case PWHASH_YESCRYPT:
		return 3 + strcspn(hash + 3, "$");
	default:
		return begins(hash + 3, "rounds=") ? 3 + strcspn(hash + 3, "$") : 3;
	}
}

/* In the same time, whatever differs. */
static bool same(const char *a, const char *b, size_t len)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}

bool pwhash_check(const char *hash, const char *password, size_t len)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	size_t most = pwhash_most(pwhash_scheme(hash)), n = len < most ? len : most;
	bool whole = n == len && !memchr(password, '\0', len), right;
	const char *got;

	memcpy(data->input, password, n);
	data->input[n] = '\0';
	got = crypt_r(data->input, hash, data);
	right = got && strlen(got) == strlen(hash) && same(got, hash, strlen(hash)) && whole;
	explicit_bzero(data, sizeof(*data));
	free(data);
	return right;
}

int pwhash_make(enum pwhash_scheme scheme, const char *password, struct str *out)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	bool bcrypt = scheme == PWHASH_BCRYPT;
	const char *hash = NULL;

	/* "2y" is what registry:2 and Apache's htpasswd write */
	if (crypt_gensalt_rn(bcrypt ? "$2y$" : "$y$", bcrypt ? 10 : 0, NULL, 0, setting, sizeof(setting)))
		hash = crypt_r(password, setting, data);
	if (hash && hash[0] == '*')
		hash = NULL;
	if (hash)
		str_puts(out, hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return hash ? 0 : -1;
}
