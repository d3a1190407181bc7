/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_table: the format of a group's table.
 *
 * Owns the files berth/quota/HEX. Invariant: a file that has lost its name says so (`gone`) from before it loses it, so that nobody
 * who has it open counts in it.
 */
#include "store/quota_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "store/store_path.h"

#define MAGIC UINT64_C(0x0a31746f75716208)      /* the wrong way round on a machine of another byte order: then it is counted again */
#define SLOTS_MAX (UINT64_C(1) << 32)

_Static_assert(sizeof(struct quota_record) == 32, "a bucket is a page");
_Static_assert(sizeof(struct quota_head) <= QUOTA_RECORDS_AT, "the header lies before the records");

static void path_of(struct str *p, const char *group)
{
	struct digest d;

	digest_of(&d, DIGEST_SHA256, group, strlen(group));
	path_quota_table(p, &d);
}

int quota_table_open(struct store *st, const char *group)
{
	cleanup_str struct str path = STR_INIT;

	path_of(&path, group);
	return os_open_file(st->dirfd, path.buf, O_RDWR, 0);
}

/* pread(2) and pwrite(2) of all bytes: fewer are an error of their own, EUCLEAN. */
static int read_at(int fd, void *buf, size_t len, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, buf, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n < len)
		errno = EUCLEAN;
	return n == (ssize_t)len ? 0 : -1;
}

static int write_at(int fd, const void *buf, size_t len, uint64_t at)
{
	ssize_t n;

	do
		n = pwrite(fd, buf, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n < len)
		errno = ENOSPC;
	return n == (ssize_t)len ? 0 : -1;
}

int quota_table_read(int fd, struct quota_head *h)
{
	if (read_at(fd, h, sizeof(*h), 0) < 0)
		return errno == EUCLEAN || errno == ESPIPE ? 0 : -1;    /* ESPIPE: a FIFO */
	if (h->magic != MAGIC || h->gone || h->slots < QUOTA_BUCKET || h->slots > SLOTS_MAX || (h->slots & (h->slots - 1)) ||
	    h->filled > h->slots || h->group[NAME_MAX_LEN])
		return 0;
	h->intent.called[DIGEST_TEXT_MAX] = h->intent.repository[NAME_MAX_LEN] = '\0';
	return 1;
}

int quota_table_write(int fd, const struct quota_head *h)
{
	return write_at(fd, h, sizeof(*h), 0);
}

int quota_table_each(struct store *st, size_t max, int (*visit)(void *arg, const char *path, struct err *e), void *arg, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	size_t i;
	int rc = max == SIZE_MAX ? os_dir_list(st->dirfd, STORE_QUOTA_DIR, DIR_ALL, &all) : os_dir_page(st->dirfd, STORE_QUOTA_DIR, "", max, &all);

	if (rc < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", STORE_QUOTA_DIR);
	for (i = 0; rc == 0 && i < all.count; i++) {
		path_in(&path, STORE_QUOTA_DIR, all.v[i]);
		if (strcmp(path.buf, STORE_QUOTA_RULES_FILE) != 0)
			rc = visit(arg, path.buf, e);
	}
	return rc;
}

void quota_key(const struct digest *d, unsigned char key[QUOTA_KEY])
{
	digest_bytes(d, key, QUOTA_KEY);
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t bucket_of(const unsigned char key[QUOTA_KEY], uint64_t slots, uint64_t seed)
{
	uint64_t words[2], h;

	memcpy(words, key, sizeof(words));
	h = mix(mix(mix(seed, words[0]), words[1]), seed);
	return (h ^ h >> 32) & (slots - 1) & ~(uint64_t)(QUOTA_BUCKET - 1);
}

static bool is_free(const struct quota_record *r)
{
	static const struct quota_record none;

	return memcmp(r, &none, sizeof(none)) == 0;
}

/* In one bucket: 1 found, 0 absent and there is a free record, 2 the search goes on. `gone` is the first record without a count. */
static int search(const struct quota_record *v, const unsigned char key[QUOTA_KEY], size_t *at, size_t *gone)
{
	size_t i;

	*gone = QUOTA_BUCKET;
	for (i = 0; i < QUOTA_BUCKET; i++) {
		*at = i;
		if (memcmp(v[i].key, key, QUOTA_KEY) == 0 && !is_free(&v[i]))
			return 1;
		if (is_free(&v[i]))
			return 0;
		if (!v[i].count && *gone == QUOTA_BUCKET)
			*gone = i;
	}
	return 2;
}

/* The record of content that has gone may be used again, but only once it is known that the key has none further on. */
int quota_table_find(int fd, const struct quota_head *h, const unsigned char key[QUOTA_KEY], struct quota_place *out)
{
	uint64_t first = bucket_of(key, h->slots, h->seed), bucket = first;
	struct quota_record v[QUOTA_BUCKET];
	bool reuse = false;

	*out = (struct quota_place){ .fresh = true };
	memcpy(out->r.key, key, QUOTA_KEY);
	do {
		size_t at, gone;
		int found;

		if (read_at(fd, v, sizeof(v), QUOTA_RECORDS_AT + bucket * sizeof(*v)) < 0)
			return -1;
		found = search(v, key, &at, &gone);
		if (found == 1) {
			*out = (struct quota_place){ .slot = bucket + at, .r = v[at] };
			return 1;
		}
		if (gone < QUOTA_BUCKET && !reuse) {
			out->slot = bucket + gone;
			out->fresh = false;
			reuse = true;
		}
		if (found == 0) {
			if (!reuse)
				out->slot = bucket + at;
			return 0;
		}
		bucket = (bucket + QUOTA_BUCKET) & (h->slots - 1);
	} while (bucket != first);
	errno = EUCLEAN;                /* it grows long before it is full */
	return -1;
}

int quota_table_put(int fd, uint64_t slot, const struct quota_record *r)
{
	return write_at(fd, r, sizeof(*r), QUOTA_RECORDS_AT + slot * sizeof(*r));
}

void quota_memory_release(struct quota_memory *m)
{
	free(m->v);
	*m = (struct quota_memory){ 0 };
}

/* The slot of the key, or the free one that it gets. Nothing in memory has gone. */
static uint64_t place(const struct quota_memory *m, const unsigned char key[QUOTA_KEY])
{
	uint64_t bucket = bucket_of(key, m->slots, m->seed);
	size_t at, gone;

	while (search(m->v + bucket, key, &at, &gone) == 2)
		bucket = (bucket + QUOTA_BUCKET) & (m->slots - 1);
	return bucket + at;
}

static bool is_full(uint64_t filled, uint64_t slots)
{
	return filled >= slots / 10 * 7;
}

static void grow(struct quota_memory *m)
{
	struct quota_memory old = *m;
	uint64_t i;

	if (!old.slots)
		os_random(&m->seed, sizeof(m->seed));
	m->slots = old.slots ? old.slots * 2 : QUOTA_BUCKET;
	m->v = xcalloc(m->slots, sizeof(*m->v));
	for (i = 0; i < old.slots; i++)
		if (!is_free(&old.v[i]))
			m->v[place(m, old.v[i].key)] = old.v[i];
	free(old.v);
}

void quota_memory_room(struct quota_memory *m)
{
	if (m->filled > m->slots / 2)
		grow(m);
}

struct quota_record *quota_memory_at(struct quota_memory *m, const unsigned char key[QUOTA_KEY])
{
	struct quota_record *r;

	if (is_full(m->filled, m->slots))
		grow(m);
	r = &m->v[place(m, key)];
	if (is_free(r)) {
		memcpy(r->key, key, QUOTA_KEY);
		m->filled++;
	}
	return r;
}

const struct quota_record *quota_memory_has(const struct quota_memory *m, const unsigned char key[QUOTA_KEY])
{
	const struct quota_record *r = m->slots ? &m->v[place(m, key)] : NULL;

	return r && r->count ? r : NULL;
}

void quota_memory_put(struct quota_memory *m, const struct quota_record *r)
{
	struct quota_record *at = quota_memory_at(m, r->key);

	if (at->count)
		m->used -= at->size;
	else
		m->entries++;
	m->used += r->size;
	*at = *r;
}

void quota_memory_add(struct quota_memory *m, const struct digest *d, uint64_t size)
{
	unsigned char key[QUOTA_KEY];
	struct quota_record *r;

	quota_key(d, key);
	r = quota_memory_at(m, key);
	if (r->count++)
		return;
	r->size = size;
	m->used += size;
	m->entries++;
}

bool quota_table_full(const struct quota_head *h)
{
	return is_full(h->filled, h->slots);
}

int quota_table_load(int fd, const struct quota_head *h, struct quota_memory *m)
{
	struct quota_record v[QUOTA_BUCKET];
	uint64_t bucket;
	size_t i;

	quota_memory_release(m);
	for (bucket = 0; bucket < h->slots; bucket += QUOTA_BUCKET) {
		if (read_at(fd, v, sizeof(v), QUOTA_RECORDS_AT + bucket * sizeof(*v)) < 0)
			return -1;
		for (i = 0; i < QUOTA_BUCKET; i++)
			if (v[i].count)
				quota_memory_put(m, &v[i]);
	}
	return 0;
}

/* Nobody counts in the present file any more; without its name it would go on being used by those who have it open. */
static int retire(struct store *st, const char *path)
{
	cleanup_fd int fd = os_open_file(st->dirfd, path, O_WRONLY, 0);
	uint32_t yes = 1;

	if (fd < 0)
		return os_gone(errno) || errno == EUCLEAN || errno == EISDIR || errno == ENXIO ? 0 : -1;
	if (write_at(fd, &yes, sizeof(yes), offsetof(struct quota_head, gone)) < 0)
		return errno == ESPIPE ? 0 : -1;
	return store_flushes_index(st) ? os_fsync(fd) : 0;
}

int quota_table_publish(struct store *st, struct quota_head *h, const struct quota_memory *m)
{
	cleanup_str struct str path = STR_INIT, all = STR_INIT;
	uint64_t slots = m->slots ? m->slots : QUOTA_BUCKET;
	struct quota_memory none = { 0 };

	path_of(&path, h->group);
	h->magic = MAGIC;
	h->gone = h->broken = 0;
	h->used = m->used;
	h->entries = m->entries;
	h->filled = m->filled;
	h->slots = slots;
	h->seed = m->seed;
	h->intent = h->last = (struct quota_intent){ 0 };
	memset(str_room(&all, QUOTA_RECORDS_AT), 0, QUOTA_RECORDS_AT);
	str_grown(&all, QUOTA_RECORDS_AT);
	memcpy(all.buf, h, sizeof(*h));
	if (!m->slots)
		grow(&none);
	str_add(&all, m->slots ? m->v : none.v, slots * sizeof(*m->v));
	quota_memory_release(&none);
	if (retire(st, path.buf) < 0 || store_replace(st, path.buf, all.buf, all.len, store_flushes_index(st)) < 0)
		return -1;
	return store_flushes_index(st) ? store_flush_above(st, path.buf, 1) : 0;
}
