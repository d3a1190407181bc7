/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_metrics: the relay's numbers.
 *
 * Owns their names: doc/METRICS.md lists them, and t/8117 compares the two. The label `upstream` is the name in the configuration. A part of `cache`.
 */
#include "relay/cache_metrics.h"

#include "base/mem.h"
#include "base/prom.h"

static void simple(struct str *out, const char *name, enum prom_type type, const char *help, uint64_t value)
{
	prom_family(out, name, type, help);
	prom_number(out, name, NULL, value);
}

/* The whole registry mirrors an upstream that has no name: its URL is its name here. */
static const char *name_of(const struct config_upstream *cf)
{
	return cf->whole ? cf->urls.v[0] : cf->name;
}

static const struct upstream_counts *counts_of(const struct cache_figures *f, size_t i)
{
	return upstream_counts(upstreams_find(f->upstreams, f->cf[i].name));
}

static void add_requests(const struct cache_figures *f, struct str *out)
{
	static const char name[] = "berth_upstream_requests_total";
	cleanup_str struct str labels = STR_INIT;

	prom_family(out, name, PROM_COUNTER, "Requests to an upstream, of each URL, by what came of them.");
	for (size_t i = 0; i < f->count; i++)
		for (int k = 0; k < UPSTREAM_KINDS; k++) {
			str_reset(&labels);
			prom_label(&labels, "upstream", name_of(&f->cf[i]));
			prom_label(&labels, "result", upstream_word((enum upstream_kind)k));
			prom_number(out, name, &labels, counts_of(f, i)->asked[k]);
		}
}

static void add_upstreams(const struct cache_figures *f, struct str *out)
{
	static const char bytes[] = "berth_upstream_received_bytes_total", left[] = "berth_upstream_ratelimit_remaining";
	cleanup_str struct str labels = STR_INIT;

	prom_family(out, bytes, PROM_COUNTER, "Bytes of manifests, lists and blobs that an upstream has sent.");
	for (size_t i = 0; i < f->count; i++) {
		str_reset(&labels);
		prom_label(&labels, "upstream", name_of(&f->cf[i]));
		prom_number(out, bytes, &labels, counts_of(f, i)->bytes);
	}
	prom_family(out, left, PROM_GAUGE, "Pulls that an upstream said are left; missing where it said nothing.");
	for (size_t i = 0; i < f->count; i++) {
		if (counts_of(f, i)->remaining < 0)
			continue;
		str_reset(&labels);
		prom_label(&labels, "upstream", name_of(&f->cf[i]));
		prom_number(out, left, &labels, (uint64_t)counts_of(f, i)->remaining);
	}
}

void cache_metrics(const struct cache_figures *f, struct str *out)
{
	static const char fetched[] = "berth_cache_fetched_total";
	cleanup_str struct str manifests = STR_INIT, blobs = STR_INIT;
	const struct fetch_counts *n = f->counts;

	prom_label(&manifests, "kind", "manifest");
	prom_label(&blobs, "kind", "blob");
	prom_family(out, fetched, PROM_COUNTER, "Manifests and blobs that upstreams have given, with the right digest.");
	prom_number(out, fetched, &manifests, n->manifests);
	prom_number(out, fetched, &blobs, n->blobs);
	simple(out, "berth_cache_confirmed_total", PROM_COUNTER, "Tags that an upstream said are as they are here.", n->checked);
	simple(out, "berth_cache_coalesced_total", PROM_COUNTER, "Requests that needed none, because the same was under way.", n->coalesced);
	simple(out, "berth_cache_ahead_total", PROM_COUNTER, "Manifests and blobs of \"platforms\" fetched ahead of clients.", n->ahead);
	simple(out, "berth_cache_unanswered_total", PROM_COUNTER, "Requests that an upstream's failure left to a copy, or to a 503.", n->unanswered);
	simple(out, "berth_cache_wrong_total", PROM_COUNTER, "Manifests and blobs that are not what they should be.", n->wrong);
	simple(out, "berth_cache_resumed_total", PROM_COUNTER, "Times that a download broke off and went on.", n->resumed);
	simple(out, "berth_cache_refused_total", PROM_COUNTER, "Manifests and blobs that a worker did not store.", n->refused);
	simple(out, "berth_cache_downloads", PROM_GAUGE, "Downloads of blobs under way, or just ended.", f->downloads);
	simple(out, "berth_cache_passed_bytes_total", PROM_COUNTER, "Bytes of blobs that clients got while they were downloaded.", f->sent);
	add_requests(f, out);
	add_upstreams(f, out);
}
