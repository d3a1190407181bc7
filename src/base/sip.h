/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_SIP_H
#define BERTH_BASE_SIP_H

/*
 * sip: SipHash-1-3 (Aumasson and Bernstein, 2012), a pseudorandom function: without the key, chosen texts collide no more often
 * than random ones. Inline, since a caller with texts of one length is faster so.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t sip_rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_mix(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = sip_rotate(v[1], 13) ^ v[0], v[3] = sip_rotate(v[3], 16) ^ v[2];
	v[0] = sip_rotate(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = sip_rotate(v[1], 17) ^ v[2], v[3] = sip_rotate(v[3], 21) ^ v[0];
	v[2] = sip_rotate(v[2], 32);
}

static inline void sip_take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_mix(v);
	v[0] ^= word;
}

/* sip_hash - of [data, data+len) under a key */
static inline uint64_t sip_hash(const uint64_t key[2], const void *data, size_t len)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	const unsigned char *p = data;
	uint64_t word, last = (uint64_t)len << 56;
	size_t left;

	for (left = len; left >= sizeof(word); left -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_take(v, word);
	}
	word = 0;
	if (left)
		memcpy(&word, p, left);
	sip_take(v, word | last);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
