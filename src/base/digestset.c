/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digestset: open addressing, one table for each algorithm.
 *
 * Owns the tables, and the secret of this process that keys their hash. A digest is random only if it is the hash of some
 * content: a manifest may name thousands of digests that a client chose, and if their own bytes selected the slot, all could
 * select the same one.
 */
#include "base/digestset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sip.h"

#define SMALL 4096              /* slots: below this size a table grows by a factor of 4, to grow less often */

static unsigned nibble(char c)
{
	return ((unsigned char)c & 15) + 9 * ((unsigned char)c >> 6);      /* without a branch, as in digest.c */
}

static void key_of(const struct digest *d, unsigned char key[DIGESTSET_KEY])
{
	const char *hex = digest_hex(d);
	size_t i;

	for (i = 0; i < DIGESTSET_KEY; i++)
		key[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

static uint64_t secret[2];
static bool chosen;

/* Called before the first table is made, so that a process that is forked later can read the tables of its parent. */
static void choose_secret(void)
{
	if (!chosen && getentropy(secret, sizeof(secret)) < 0)
		abort();        /* the kernel lacks getrandom(2) */
	chosen = true;
}

static uint64_t hash_of(const unsigned char key[DIGESTSET_KEY])
{
	return sip_hash(secret, key, DIGESTSET_KEY);
}

static const unsigned char no_key[DIGESTSET_KEY];

static bool is_free(const unsigned char key[DIGESTSET_KEY])
{
	return memcmp(key, no_key, DIGESTSET_KEY) == 0;
}

/* The slot that contains the key, or the free slot for it. The table must not be full. */
static unsigned char *slot_of(const struct digestset *s, enum digest_alg alg, const unsigned char key[DIGESTSET_KEY])
{
	size_t mask = s->of[alg].cap - 1, i;

	for (i = (size_t)hash_of(key) & mask; !is_free(s->of[alg].keys[i]); i = (i + 1) & mask)
		if (memcmp(s->of[alg].keys[i], key, DIGESTSET_KEY) == 0)
			break;
	return s->of[alg].keys[i];
}

static void put(struct digestset *s, enum digest_alg alg, const unsigned char key[DIGESTSET_KEY])
{
	unsigned char *slot;

	if (is_free(key)) {
		s->of[alg].zero = true;
		return;
	}
	slot = slot_of(s, alg, key);
	if (!is_free(slot))
		return;
	memcpy(slot, key, DIGESTSET_KEY);
	s->of[alg].count++;
}

/* Makes room for `more` digests. Three of eight slots remain free: then the search for an absent digest reads four slots, not nine. */
static void make_room(struct digestset *s, enum digest_alg alg, size_t more)
{
	unsigned char(*keys)[DIGESTSET_KEY] = s->of[alg].keys;
	size_t cap = s->of[alg].cap, want = cap ? cap : 16, i;

	while (s->of[alg].count + more > want / 8 * 5)
		want *= want < SMALL ? 4 : 2;
	if (want == cap)
		return;
	choose_secret();
	s->of[alg].cap = want;
	s->of[alg].keys = xcalloc(want, DIGESTSET_KEY);
	s->of[alg].count = 0;
	for (i = 0; i < cap; i++)
		if (!is_free(keys[i]))
			put(s, alg, keys[i]);
	free(keys);
}

void digestset_add(struct digestset *s, const struct digest *d)
{
	unsigned char key[DIGESTSET_KEY];

	key_of(d, key);
	make_room(s, d->alg, 1);
	put(s, d->alg, key);
}

bool digestset_has(const struct digestset *s, const struct digest *d)
{
	unsigned char key[DIGESTSET_KEY];

	key_of(d, key);
	if (is_free(key))
		return s->of[d->alg].zero;
	return s->of[d->alg].cap && !is_free(slot_of(s, d->alg, key));
}

/* One byte for the algorithm, and the key. */
static void write_key(struct str *out, int alg, const unsigned char key[DIGESTSET_KEY])
{
	str_addc(out, (char)alg);
	str_add(out, (const char *)key, DIGESTSET_KEY);
}

void digestset_write(const struct digestset *s, struct str *out)
{
	for (int alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		if (s->of[alg].zero)
			write_key(out, alg, no_key);
		for (size_t i = 0; i < s->of[alg].cap; i++)
			if (!is_free(s->of[alg].keys[i]))
				write_key(out, alg, s->of[alg].keys[i]);
	}
}

size_t digestset_size(const struct digestset *s)
{
	return digestset_count(s) * (1 + DIGESTSET_KEY);
}

int digestset_read(struct digestset *s, const char *bytes, size_t len)
{
	size_t more[DIGEST_ALG_COUNT] = { 0 }, i;

	if (len % (1 + DIGESTSET_KEY))
		return -1;
	for (i = 0; i < len; i += 1 + DIGESTSET_KEY) {
		if ((unsigned char)bytes[i] >= DIGEST_ALG_COUNT)
			return -1;
		more[(int)bytes[i]]++;
	}
	for (int alg = 0; alg < DIGEST_ALG_COUNT; alg++)
		if (more[alg])
			make_room(s, (enum digest_alg)alg, more[alg]);
	for (i = 0; i < len; i += 1 + DIGESTSET_KEY)
		put(s, (enum digest_alg)bytes[i], (const unsigned char *)bytes + i + 1);
	return 0;
}

size_t digestset_count(const struct digestset *s)
{
	size_t count = 0;
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++)
		count += s->of[alg].count + s->of[alg].zero;
	return count;
}

void digestset_release(struct digestset *s)
{
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++)
		free(s->of[alg].keys);
	*s = (struct digestset)DIGESTSET_INIT;
}
