/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_last: the last collection, as text and in the metrics.
 *
 * Owns the meaning of the text; store/collector.c knows where it is kept. Invariant: one process of a master adds a collection
 * to the metrics, the one that replaced the number of the previous collection by its number.
 */
#include "care/gc_last.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "os/file.h"
#include "store/collector.h"

#define TEXT_MAX 1024

static uint64_t *field(struct gc_last *l, size_t i, const char **key)
{
	const struct {
		const char *key;
		uint64_t *at;
	} fields[] = {
		{ "run", &l->run },
		{ "usec", &l->usec },
		{ "manifests", &l->result.count[GC_MANIFEST] },
		{ "links", &l->result.count[GC_LINK] },
		{ "blobs", &l->result.count[GC_BLOB] },
		{ "uploads", &l->result.count[GC_UPLOAD] },
		{ "leftovers", &l->result.count[GC_LEFTOVER] },
		{ "bytes", &l->result.bytes },
		{ "kept_blobs", &l->result.kept },
		{ "kept_bytes", &l->result.kept_bytes },
		{ "kept_uploads", &l->result.kept_uploads },
	};

	if (i >= ARRAY_LEN(fields))
		return NULL;
	*key = fields[i].key;
	return fields[i].at;
}

void gc_last_text(const struct gc_result *r, uint64_t usec, struct str *out)
{
	struct gc_last l = { .usec = usec, .result = *r };
	const char *key;
	uint64_t *at;
	size_t i;

	do
		os_random(&l.run, sizeof(l.run));
	while (!l.run);
	str_reset(out);
	for (i = 0; (at = field(&l, i, &key)); i++)
		if (at != &l.result.kept_bytes || r->sized)
			str_addf(out, "%s %" PRIu64 "\n", key, *at);
}

/* One line; an unknown key was written by a newer berth. */
static int read_line(struct gc_last *l, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len), *key;
	size_t key_len = space ? (size_t)(space - line) : len, i;
	uint64_t *at;

	for (i = 0; (at = field(l, i, &key)); i++)
		if (strlen(key) == key_len && memcmp(key, line, key_len) == 0) {
			l->result.sized |= at == &l->result.kept_bytes;
			return space ? str_parse_u64(space + 1, len - key_len - 1, at) : -1;
		}
	return 0;
}

int gc_last_read(struct store *st, struct gc_last *out, struct err *e)
{
	char text[TEXT_MAX];
	const char *p = text, *end;
	ssize_t n;

	*out = (struct gc_last){ 0 };
	n = collector_said(st, text, sizeof(text), &out->ended, e);
	if (n < 0)
		return -1;
	for (end = text + n; p < end; p++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		if (!eol || read_line(out, p, (size_t)(eol - p)) < 0)
			return 0;
		p = eol;
	}
	return out->run != 0;
}

/* A base may be below zero, and wrap around: only its sum with what was added since is shown. */
static void set_bases(const struct gc_result *r, uint64_t uploads)
{
	metrics_set(METRIC_BLOBS_BASE, r->kept - metrics_get(METRIC_BLOBS_ADDED));
	metrics_set(METRIC_BLOB_BYTES_BASE, r->kept_bytes - metrics_get(METRIC_BLOB_BYTES_ADDED));
	metrics_set(METRIC_UPLOADS_BASE, r->kept_uploads - uploads);
}

static uint64_t not_below_0(uint64_t n)
{
	return n > INT64_MAX ? 0 : n;
}

uint64_t gc_last_blobs(void)
{
	return not_below_0(metrics_get(METRIC_BLOBS_BASE) + metrics_get(METRIC_BLOBS_ADDED));
}

uint64_t gc_last_bytes(void)
{
	return not_below_0(metrics_get(METRIC_BLOB_BYTES_BASE) + metrics_get(METRIC_BLOB_BYTES_ADDED));
}

uint64_t gc_last_uploads(void)
{
	return not_below_0(metrics_get(METRIC_UPLOADS_BASE) + metrics_get(METRIC_UPLOADS_BEGUN) - metrics_get(METRIC_UPLOADS_ENDED));
}

int gc_last_adopt(struct store *st, bool count, struct gc_last *out, struct err *e)
{
	static const enum metric removed[] = {
		[GC_MANIFEST] = METRIC_GC_MANIFESTS, [GC_LINK] = METRIC_GC_LINKS, [GC_BLOB] = METRIC_GC_BLOBS,
		[GC_UPLOAD] = METRIC_GC_UPLOADS, [GC_LEFTOVER] = METRIC_GC_LEFTOVERS,
	};
	uint64_t seen = metrics_get(METRIC_GC_SEEN);
	int found = gc_last_read(st, out, e);
	size_t i;

	if (found <= 0 || out->run == seen || !metrics_swap(METRIC_GC_SEEN, seen, out->run))
		return found;
	set_bases(&out->result, metrics_get(METRIC_UPLOADS_BEGUN) - metrics_get(METRIC_UPLOADS_ENDED));
	if (!count)
		return found;
	metrics_add(METRIC_GC_DONE, 1);
	metrics_add(METRIC_GC_BYTES, out->result.bytes);
	for (i = GC_MANIFEST; i < ARRAY_LEN(removed); i++)
		metrics_add(removed[i], out->result.count[i]);
	return found;
}
