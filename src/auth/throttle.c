/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throttle: a table of counters without locks.
 *
 * Owns the shared memory. An entry is one 64-bit word, changed by compare-and-swap, so a killed worker leaves no partial
 * update. It holds a tag of the address, a level in seconds, and the second in which it had that level; the level falls
 * by one each second. Two addresses of one set with the same tag (one pair in eight million) are counted as one.
 */
#include "auth/throttle.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "os/file.h"

#define SETS 4096
#define WAYS 4
#define LEVEL_MAX (THROTTLE_BURST * THROTTLE_SECONDS)

#define TAG_BITS 24
#define TIME_BITS 24
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

struct throttle {
	unsigned char key[16];
	_Atomic uint64_t last;          /* the second of the last wrong password */
	_Atomic uint64_t table[SETS][WAYS];
};

struct place {
	unsigned set;
	uint64_t tag;                   /* never 0: that marks a free entry */
};

struct throttle *throttle_open(void)
{
	struct throttle *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	os_random(t->key, sizeof(t->key));
	return t;
}

void throttle_close(struct throttle **t)
{
	if (*t)
		munmap(*t, sizeof(**t));
	*t = NULL;
}

static struct place place_of(const struct throttle *t, const char *address)
{
	unsigned char mac[DIGEST_MAC_LEN];
	struct in6_addr v6;
	const void *data = address;
	size_t len = strlen(address);

	if (inet_pton(AF_INET6, address, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
		data = &v6;
		len = 8;
	}
	digest_hmac(mac, t->key, sizeof(t->key), data, len);
	return (struct place){ (mac[0] | (unsigned)mac[1] << 8) % SETS, 1 + (mac[2] | (uint64_t)mac[3] << 8 | (uint64_t)(mac[4] & 0x7f) << 16) };
}

static uint64_t pack(uint64_t tag, uint64_t level, uint64_t second)
{
	return tag << (64 - TAG_BITS) | level << TIME_BITS | (second & TIME_MASK);
}

static uint64_t tag_in(uint64_t word)
{
	return word >> (64 - TAG_BITS);
}

/* The level at this second. */
static uint64_t level_in(uint64_t word, uint64_t second)
{
	uint64_t level = word >> TIME_BITS & 0xffff, passed = (second - word) & TIME_MASK;

	return level > passed ? level - passed : 0;
}

unsigned throttle_wait(const struct throttle *t, const char *address, uint64_t now)
{
	uint64_t second = now / 1000000, level;
	struct place at;

	/* all levels have fallen to 0 since the last wrong password */
	if (!t || (int64_t)(second - atomic_load(&t->last)) > LEVEL_MAX)
		return 0;
	at = place_of(t, address);
	for (int i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load(&t->table[at.set][i]);

		if (tag_in(word) != at.tag)
			continue;
		level = level_in(word, second) + THROTTLE_SECONDS;
		return level > LEVEL_MAX ? (unsigned)(level - LEVEL_MAX) : 0;
	}
	return 0;
}

/* The entry of this address in its set, or the one with the lowest level. */
static _Atomic uint64_t *choose(struct throttle *t, const struct place *at, uint64_t second)
{
	_Atomic uint64_t *best = NULL;
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load(&t->table[at->set][i]), level = word ? level_in(word, second) + 1 : 0;

		if (tag_in(word) == at->tag)
			return &t->table[at->set][i];
		if (level < least) {
			least = level;
			best = &t->table[at->set][i];
		}
	}
	return best;
}

void throttle_fail(struct throttle *t, const char *address, uint64_t now)
{
	uint64_t second = now / 1000000, word, level;
	struct place at;
	_Atomic uint64_t *slot;

	if (!t)
		return;
	atomic_store(&t->last, second);
	at = place_of(t, address);
	do {
		slot = choose(t, &at, second);
		word = atomic_load(slot);
		level = tag_in(word) == at.tag ? level_in(word, second) : 0;
		level += THROTTLE_SECONDS;
		if (level > LEVEL_MAX)
			level = LEVEL_MAX;
	} while (!atomic_compare_exchange_weak(slot, &word, pack(at.tag, level, second)));
}
