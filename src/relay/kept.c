/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept: answers in memory.
 *
 * Owns them. Invariant: there are at most ANSWERS_MAX, and their bodies have at most BYTES_MAX together.
 */
#include "relay/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

#define ANSWERS_MAX 1024
#define BYTES_MAX (8 * 1024 * 1024)
#define BODY_MAX (1024 * 1024)          /* of one */

struct one {
	struct one *next;
	char *key, *headers, *body;
	size_t len;
	uint64_t when;                  /* monotonic clock, microseconds */
};

struct kept {
	struct one *first;              /* the newest goes first */
	size_t count, bytes;
};

static void one_free(struct one *o)
{
	free(o->key);
	free(o->headers);
	free(o->body);
	free(o);
}

static void drop(struct kept *k, struct one **at)
{
	struct one *o = *at;

	*at = o->next;
	k->count--;
	k->bytes -= o->len;
	one_free(o);
}

static struct one **find(struct kept *k, const char *key)
{
	struct one **at = &k->first;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static void drop_last(struct kept *k)
{
	struct one **at = &k->first;

	while ((*at)->next)
		at = &(*at)->next;
	drop(k, at);
}

void kept_put(struct kept *k, const char *key, const struct str *headers, const char *body, size_t len)
{
	struct one **at = find(k, key), *o;

	if (*at)
		drop(k, at);
	if (len > BODY_MAX)
		return;
	while (k->count >= ANSWERS_MAX || (k->first && k->bytes + len > BYTES_MAX))
		drop_last(k);
	o = xcalloc(1, sizeof(*o));
	*o = (struct one){
		.next = k->first, .key = xstrdup(key), .headers = xstrdup(headers->buf), .body = xcalloc(len + 1, 1), .len = len,
		.when = time_now_usec(),
	};
	memcpy(o->body, body, len);
	k->first = o;
	k->count++;
	k->bytes += len;
}

bool kept_get(const struct kept *k, const char *key, uint64_t max_age, struct kept_answer *out)
{
	const struct one *o = k->first;

	while (o && strcmp(o->key, key) != 0)
		o = o->next;
	if (!o)
		return false;
	*out = (struct kept_answer){ .headers = o->headers, .body = o->body, .len = o->len, .age = (time_now_usec() - o->when) / 1000000 };
	return out->age <= max_age;
}

struct kept *kept_open(void)
{
	return xcalloc(1, sizeof(struct kept));
}

void kept_close(struct kept **kp)
{
	struct kept *k = STEAL(*kp);

	if (!k)
		return;
	while (k->first)
		drop(k, &k->first);
	free(k);
}
