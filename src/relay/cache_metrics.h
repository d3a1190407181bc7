/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_CACHE_METRICS_H
#define BERTH_RELAY_CACHE_METRICS_H

/* cache_metrics: what the relay has counted, in Prometheus' text format (doc/METRICS.md). A part of `cache`. */

#include "relay/fetch.h"

struct cache_figures {                  /* borrowed */
	const struct fetch_counts *counts;
	uint64_t sent;                  /* bytes of bodies that nginx got */
	size_t downloads;               /* under way */
	struct upstreams *upstreams;
	const struct config_upstream *cf;
	size_t count;                   /* of upstreams */
};

void cache_metrics(const struct cache_figures *f, struct str *out);

#endif
