/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_THROTTLE_H
#define BERTH_AUTH_THROTTLE_H

/*
 * throttle: wrong passwords, counted by the address that they come from.
 *
 * One table in memory that the workers share: whom one of them has refused often enough, none of them hashes for. An
 * address may be wrong THROTTLE_BURST times at once, and then once in THROTTLE_SECONDS. An IPv6 address counts as its
 * first 64 bits, which one customer has. Addresses share the places of the table by a key that is drawn at the start.
 */

#include <stdint.h>

#define THROTTLE_BURST 20
#define THROTTLE_SECONDS 6

struct throttle;

/* throttle_open - before fork; NULL where there is no memory for it: then nothing is counted */
struct throttle *throttle_open(void);
void throttle_close(struct throttle **t);

/*
 * throttle_wait - how many seconds this address has to wait before a password of it is looked at; 0: none
 * now  of time_now_usec()
 */
unsigned throttle_wait(const struct throttle *t, const char *address, uint64_t now);

/* throttle_fail - a password that came from there was wrong */
void throttle_fail(struct throttle *t, const char *address, uint64_t now);

#endif
