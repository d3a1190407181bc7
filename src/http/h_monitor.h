/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_H_MONITOR_H
#define BERTH_HTTP_H_MONITOR_H

/*
 * h_monitor: whether this worker and the store are ready, and the metrics of all workers (doc/METRICS.md).
 *
 * Neither is a route. The web server asks by the parameter BERTH_MONITOR, "ready", "health" or "metrics", which no client can set.
 * They need no right, and the requests for them are not counted.
 */

#include "http/exchange.h"

/* monitor_serve - answer the request in x->rs if it is one of these; whether it is */
bool monitor_serve(struct exchange *x);

#endif
