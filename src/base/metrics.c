/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: the shared table.
 *
 * Owns it. Invariant: a word changes by one atomic operation only, so that no killed process leaves a wrong one.
 */
#include "base/metrics.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/mem.h"

static struct metrics own;
static struct metrics *table = &own;

const uint64_t metrics_bounds[METRICS_BUCKETS] = {
	100, 500, 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 5000000, 10000000, 60000000, 300000000,
};

/* The statuses of responses that workers send. */
static const short statuses[] = {
	200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 414, 415, 416, 429, 500, 501, 503, 507,
};
_Static_assert(ARRAY_LEN(statuses) < METRICS_STATUSES, "there is no place for any other status");

int metrics_share(void)
{
	struct metrics *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -1;
	table = shared;
	metrics_set(METRIC_STARTED, (uint64_t)time(NULL));
	return 0;
}

const struct metrics *metrics_table(void)
{
	return table;
}

static void add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_fetch_add_explicit(word, n, memory_order_relaxed);
}

void metrics_add(enum metric m, uint64_t n)
{
	add(&table->word[m], n);
}

void metrics_set(enum metric m, uint64_t value)
{
	atomic_store_explicit(&table->word[m], value, memory_order_relaxed);
}

uint64_t metrics_get(enum metric m)
{
	return atomic_load_explicit(&table->word[m], memory_order_relaxed);
}

bool metrics_swap(enum metric m, uint64_t was, uint64_t value)
{
	return atomic_compare_exchange_strong(&table->word[m], &was, value);
}

static size_t place_of(int status)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i] == status)
			return i;
	return METRICS_STATUSES - 1;
}

int metrics_status(size_t place)
{
	if (place < ARRAY_LEN(statuses))
		return statuses[place];
	return place == METRICS_STATUSES - 1 ? 0 : -1;
}

static void add_time(struct metrics_times *t, uint64_t usec)
{
	size_t i;

	for (i = 0; i < METRICS_BUCKETS && usec > metrics_bounds[i]; i++)
		;
	add(&t->bucket[i], 1);
	add(&t->usec, usec);
}

static unsigned within(unsigned n, unsigned count)
{
	return n < count ? n : count - 1;
}

void metrics_request(const struct metrics_request *r)
{
	unsigned route = within(r->route, METRICS_ROUTES), method = within(r->method, METRICS_METHODS);

	add(&table->requests[route][method][place_of(r->status)], 1);
	add_time(&table->took[route], r->usec);
	if (r->in)
		add(&table->in[route], r->in);
	if (r->out)
		add(&table->out[route], r->out);
}

void metrics_waited(unsigned lock, uint64_t usec)
{
	add_time(&table->waited[within(lock, METRICS_LOCKS)], usec);
}

void metrics_set_text(const char *text)
{
	size_t len = strlen(text), i;

	for (i = 0; i < METRICS_TEXT; i++) {
		size_t left = len > i * 8 ? len - i * 8 : 0;
		uint64_t word = 0;

		if (left)
			memcpy(&word, text + i * 8, left < 8 ? left : 8);
		atomic_store_explicit(&table->text[i], word, memory_order_relaxed);
	}
}

void metrics_get_text(char text[METRICS_TEXT * 8 + 1])
{
	size_t i;

	for (i = 0; i < METRICS_TEXT; i++) {
		uint64_t word = atomic_load_explicit(&table->text[i], memory_order_relaxed);

		memcpy(text + i * 8, &word, sizeof(word));
	}
	text[METRICS_TEXT * 8] = '\0';
}
