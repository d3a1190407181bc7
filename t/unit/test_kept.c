/* SPDX-License-Identifier: Apache-2.0 */
/* relay/kept: answers in a bounded amount of memory. */

#include "relay/kept.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tap.h"

#define MIB (1024 * 1024)

static struct str headers = STR_INIT;
static char body[2 * MIB];

static bool has(struct kept *k, const char *key, const char *want)
{
	struct kept_answer a;

	return kept_get(k, key, 3600, &a) && a.len == strlen(want) && memcmp(a.body, want, a.len) == 0 && strcmp(a.headers, headers.buf) == 0;
}

static size_t count(struct kept *k, unsigned from, unsigned to)
{
	struct kept_answer a;
	size_t n = 0;

	for (unsigned i = from; i < to; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%u", i);
		n += kept_get(k, key, 3600, &a);
	}
	return n;
}

static void put(struct kept *k, unsigned from, unsigned to, size_t len)
{
	for (unsigned i = from; i < to; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%u", i);
		kept_put(k, key, &headers, body, len);
	}
}

int main(void)
{
	struct kept *k = kept_open();
	struct kept_answer a;

	str_puts(&headers, "A: b\r\n");
	ok(!kept_get(k, "x", 3600, &a), "to begin with there is nothing");
	kept_put(k, "x", &headers, "one", 3);
	kept_put(k, "y", &headers, "", 0);
	ok(has(k, "x", "one") && has(k, "y", "") && !kept_get(k, "z", 3600, &a), "what was put is found");
	kept_put(k, "x", &headers, "two", 3);
	ok(has(k, "x", "two"), "a newer one takes its place");
	kept_put(k, "x", &headers, body, 2 * MIB);
	ok(!kept_get(k, "x", 3600, &a) && has(k, "y", ""), "one that is too large is not kept, and the old one is gone");
	put(k, 0, 20, MIB);
	ok(count(k, 0, 20) == 8 && count(k, 12, 20) == 8, "of large ones the last eight are kept");
	ok(!kept_get(k, "y", 3600, &a), "the oldest went first");
	put(k, 100, 3000, 1);
	ok(count(k, 100, 3000) == 1024 && count(k, 3000 - 1024, 3000) == 1024, "of small ones the last 1,024");
	kept_close(&k);
	ok(!k, "all are gone");
	str_release(&headers);
	return done_testing();
}
