/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digestset: open addressing, one table for each algorithm.
 *
 * Owns the tables. The keys are random by nature, so their first bytes serve as the hash.
 */
#include "base/digestset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void key_of(const struct digest *d, unsigned char key[DIGESTSET_KEY])
{
	const char *hex = digest_hex(d);
	size_t i;

	for (i = 0; i < DIGESTSET_KEY; i++)
		key[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

/* The slot of a key in a table that is not full: where it is, or where it would go. */
static size_t slot_of(const struct digestset *s, enum digest_alg alg, const unsigned char key[DIGESTSET_KEY])
{
	size_t mask = s->of[alg].cap - 1, i;
	uint64_t hash;

	memcpy(&hash, key, sizeof(hash));
	for (i = (size_t)hash & mask; s->of[alg].used[i]; i = (i + 1) & mask)
		if (memcmp(s->of[alg].keys[i], key, DIGESTSET_KEY) == 0)
			break;
	return i;
}

static void put(struct digestset *s, enum digest_alg alg, const unsigned char key[DIGESTSET_KEY])
{
	size_t i = slot_of(s, alg, key);

	if (s->of[alg].used[i])
		return;
	s->of[alg].used[i] = 1;
	memcpy(s->of[alg].keys[i], key, DIGESTSET_KEY);
	s->of[alg].count++;
}

/* A quarter of the slots stays free. */
static void make_room(struct digestset *s, enum digest_alg alg)
{
	unsigned char(*keys)[DIGESTSET_KEY] = s->of[alg].keys, *used = s->of[alg].used;
	size_t cap = s->of[alg].cap, i;

	if (cap && s->of[alg].count + 1 <= cap / 4 * 3)
		return;
	s->of[alg].cap = cap ? cap * 2 : 16;
	s->of[alg].keys = xreallocarray(NULL, s->of[alg].cap, DIGESTSET_KEY);
	s->of[alg].used = xcalloc(s->of[alg].cap, 1);
	s->of[alg].count = 0;
	for (i = 0; i < cap; i++)
		if (used[i])
			put(s, alg, keys[i]);
	free(keys);
	free(used);
}

void digestset_add(struct digestset *s, const struct digest *d)
{
	unsigned char key[DIGESTSET_KEY];

	key_of(d, key);
	make_room(s, d->alg);
	put(s, d->alg, key);
}

bool digestset_has(const struct digestset *s, const struct digest *d)
{
	unsigned char key[DIGESTSET_KEY];

	if (!s->of[d->alg].cap)
		return false;
	key_of(d, key);
	return s->of[d->alg].used[slot_of(s, d->alg, key)];
}

/* The algorithm, one byte, and the key. */
void digestset_write(const struct digestset *s, struct str *out)
{
	for (int alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		for (size_t i = 0; i < s->of[alg].cap; i++) {
			if (!s->of[alg].used[i])
				continue;
			str_addc(out, (char)alg);
			str_add(out, (const char *)s->of[alg].keys[i], DIGESTSET_KEY);
		}
	}
}

int digestset_read(struct digestset *s, const char *bytes, size_t len)
{
	size_t i;

	if (len % (1 + DIGESTSET_KEY))
		return -1;
	for (i = 0; i < len; i += 1 + DIGESTSET_KEY)
		if ((unsigned char)bytes[i] >= DIGEST_ALG_COUNT)
			return -1;
	for (i = 0; i < len; i += 1 + DIGESTSET_KEY) {
		make_room(s, (enum digest_alg)bytes[i]);
		put(s, (enum digest_alg)bytes[i], (const unsigned char *)bytes + i + 1);
	}
	return 0;
}

size_t digestset_count(const struct digestset *s)
{
	size_t count = 0;
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++)
		count += s->of[alg].count;
	return count;
}

void digestset_release(struct digestset *s)
{
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		free(s->of[alg].keys);
		free(s->of[alg].used);
	}
	*s = (struct digestset)DIGESTSET_INIT;
}
