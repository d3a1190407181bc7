/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reqid: ids of requests to which the web server has given none.
 *
 * Owns random bytes for the next ids: the kernel is asked once for 64 of them.
 */
#include "http/reqid.h"

#include <string.h>

#include "os/file.h"

#define BYTES (REQID_LEN / 2)

void reqid_make(char out[REQID_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	static unsigned char random[64 * BYTES];
	static size_t left;
	unsigned char *at;
	size_t i;

	if (!left) {
		os_random(random, sizeof(random));
		left = sizeof(random);
	}
	left -= BYTES;
	at = random + left;
	for (i = 0; i < BYTES; i++) {
		out[2 * i] = digits[at[i] >> 4];
		out[2 * i + 1] = digits[at[i] & 15];
	}
	out[REQID_LEN] = '\0';
	memset(at, 0, BYTES);
}
