/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memo: a table of proofs.
 *
 * Owns the key and the table. The first byte of a proof selects the set of entries it may be in: without the key nobody
 * can predict it.
 */
#include "auth/memo.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"

#define SETS 256
#define WAYS 4
#define SECOND 1000000u

struct memo {
	struct hmac *key;
	struct kept {
		struct memo_proof proof;
		uint64_t since;         /* 0: free */
	} table[SETS][WAYS];
};

struct memo *memo_open(void)
{
	struct memo *m = xcalloc(1, sizeof(*m));
	unsigned char key[32];

	os_random(key, sizeof(key));
	m->key = hmac_open(key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return m;
}

void memo_close(struct memo **m)
{
	if (!*m)
		return;
	hmac_close(&(*m)->key);
	explicit_bzero(*m, sizeof(**m));
	free(*m);
	*m = NULL;
}

/* User names and hashes contain no NUL, so the text is unambiguous. */
void memo_prove(const struct memo *m, const char *user, const char *hash, const char *password, size_t len,
		struct memo_proof *out)
{
	cleanup_str struct str text = STR_SECRET;

	str_add(&text, user, strlen(user) + 1);
	str_add(&text, hash, strlen(hash) + 1);
	str_add(&text, password, len);
	hmac_of(m->key, out->mac, text.buf, text.len);
}

static unsigned set_of(const struct memo_proof *p)
{
	return p->mac[0] % SETS;
}

bool memo_has(const struct memo *m, const struct memo_proof *p, uint64_t now)
{
	const struct kept *set = m->table[set_of(p)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].since && now - set[i].since < (uint64_t)MEMO_SECONDS * SECOND &&
		    memcmp(set[i].proof.mac, p->mac, sizeof(p->mac)) == 0)
			return true;
	return false;
}

void memo_add(struct memo *m, const struct memo_proof *p, uint64_t now)
{
	struct kept *set = m->table[set_of(p)], *oldest = &set[0];

	for (int i = 1; i < WAYS; i++)
		if (set[i].since < oldest->since)
			oldest = &set[i];
	oldest->proof = *p;
	oldest->since = now;
}
