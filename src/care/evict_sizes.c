/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_sizes: the bytes of mirrors, as text.
 *
 * Owns berth/mirror/_sizes. A reader finds the file of one moment, or none.
 */
#include "care/evict_sizes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/upstream.h"
#include "store/clock.h"
#include "store/store_path.h"

#define HEAD "berth-mirrors 1 "
#define FILE_MAX (64u << 10)    /* UPSTREAMS_MAX names of at most 255 bytes */

/* The number of the upstream of each repository of the plan; UPSTREAMS_MAX: it has none. */
static size_t *find_upstreams(const struct evict_plan *p, const struct config *cfg)
{
	size_t *of = xcalloc(p->names.count + 1, sizeof(*of));

	for (size_t i = 0; i < p->names.count; i++) {
		struct name n = gc_name(p->names.v[i]);
		const struct config_upstream *u = upstream_of(cfg, &n, NULL);

		of[i] = u ? (size_t)(u - cfg->upstreams) : UPSTREAMS_MAX;
	}
	return of;
}

/* Content counts once for an upstream, however many of its mirrors have it. */
static void count(const struct evict_plan *p, const size_t *of, uint64_t *sums)
{
	size_t counted[UPSTREAMS_MAX + 1] = { 0 };

	for (size_t i = 0; i < p->ncontents; i++) {
		const struct evict_content *c = &p->contents[i];

		for (size_t l = c->first; c->alone && l < c->first + c->count; l++) {
			size_t u = of[p->links[l].repository];

			if (p->links[l].gone || counted[u] == i + 1)
				continue;
			counted[u] = i + 1;
			sums[u] += c->size;
		}
	}
}

int evict_sizes_write(const struct evict_plan *p, struct gc_work *w, struct err *e)
{
	const struct config *cfg = w->r->cfg;
	cleanup_free size_t *of = find_upstreams(p, cfg);
	uint64_t sums[UPSTREAMS_MAX + 1] = { 0 }, now;
	cleanup_str struct str text = STR_INIT;

	if (clock_now(w->r->st, &now, e) < 0)
		return -1;
	count(p, of, sums);
	dated_begin(&text, HEAD, (int64_t)(now / 1000000));
	for (size_t i = 0; i < cfg->nupstreams; i++)
		str_addf(&text, "%" PRIu64 " %s\n", sums[i], cfg->upstreams[i].name);
	dated_end(&text);
	if (store_replace(w->r->st, STORE_MIRROR_SIZES_FILE, text.buf, text.len, false) < 0)
		return err_sys(e, "cannot write %s", STORE_MIRROR_SIZES_FILE);
	return 0;
}

int evict_sizes_read(struct store *st, struct dated *s, struct err *e)
{
	return dated_read(st, STORE_MIRROR_SIZES_FILE, HEAD, FILE_MAX, s, e);
}

bool evict_sizes_find(const struct dated *s, const char *name, uint64_t *bytes)
{
	const char *p = s->text.buf + s->first, *end = s->text.buf + s->text.len, *eol;

	for (; p < end && (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		const char *blank = memchr(p, ' ', (size_t)(eol - p));

		if (blank && strlen(name) == (size_t)(eol - blank - 1) && memcmp(name, blank + 1, strlen(name)) == 0)
			return str_parse_u64(p, (size_t)(blank - p), bytes) == 0;
	}
	return false;
}
