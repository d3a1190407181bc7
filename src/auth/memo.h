/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_MEMO_H
#define BERTH_AUTH_MEMO_H

/*
 * memo: that a password was right, for a while.
 *
 * Hashes of passwords are slow on purpose, and a client sends its password with each request. What is kept is no
 * password but an HMAC-SHA256 under a key that only this process has, over the user, the line's hash and the password:
 * when the line changes, nothing that was kept fits any more. The table has a fixed size; the oldest goes.
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

/* memo_prove - what stands for this user with this password by this hash */
void memo_prove(const struct memo *m, const char *user, const char *hash, const char *password, size_t len,
		struct memo_proof *out);

/* now  of time_now_usec() */
bool memo_has(const struct memo *m, const struct memo_proof *p, uint64_t now);
void memo_add(struct memo *m, const struct memo_proof *p, uint64_t now);

#endif
