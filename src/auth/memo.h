/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_MEMO_H
#define BERTH_AUTH_MEMO_H

/*
 * memo: remembering for MEMO_SECONDS that a password was right.
 *
 * Password hashes are slow on purpose, and a client sends its password with each request. An entry holds no password but
 * an HMAC-SHA256 over the user, the hash of the line and the password, under a key that only this process has. When the
 * line changes, its entries no longer match. The table has a fixed size; a new entry replaces the oldest of its set.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMO_SECONDS 600

struct memo;

struct memo_proof {
	unsigned char mac[32];
};

struct memo *memo_open(void);           /* after fork: each process has a key of its own */
void memo_close(struct memo **m);

/* memo_prove - the entry for this user, hash and password */
void memo_prove(const struct memo *m, const char *user, const char *hash, const char *password, size_t len,
		struct memo_proof *out);

/* now  of time_now_usec() */
bool memo_has(const struct memo *m, const struct memo_proof *p, uint64_t now);
void memo_add(struct memo *m, const struct memo_proof *p, uint64_t now);

#endif
