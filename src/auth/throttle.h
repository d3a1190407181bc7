/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_THROTTLE_H
#define BERTH_AUTH_THROTTLE_H

/*
 * throttle: counting wrong passwords by client address.
 *
 * The workers share one table in memory: once one of them has refused an address often enough, none hashes a password from
 * it. An address may send THROTTLE_BURST wrong passwords at once, and then one every THROTTLE_SECONDS. An IPv6 address
 * counts as its first 64 bits, which one customer has. A random key maps addresses to entries of the table.
 */

#include <stdint.h>

#define THROTTLE_BURST 20
#define THROTTLE_SECONDS 6

struct throttle;

/* throttle_open - before fork; NULL without memory: then nothing is counted */
struct throttle *throttle_open(void);
void throttle_close(struct throttle **t);

/*
 * throttle_wait - the seconds this address has to wait before a password from it is checked; 0: none
 * now  of time_now_usec()
 */
unsigned throttle_wait(const struct throttle *t, const char *address, uint64_t now);

/* throttle_fail - count a wrong password from this address */
void throttle_fail(struct throttle *t, const char *address, uint64_t now);

#endif
