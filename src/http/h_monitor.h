/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_H_MONITOR_H
#define BERTH_HTTP_H_MONITOR_H

/*
 * h_monitor: whether this worker and the store are well, and what all workers have counted (doc/METRICS.md).
 *
 * Neither is a route: the web server names them by the parameter BERTH_MONITOR, "ready" or "metrics", and
 * listens for them where its configuration says. Nobody is asked who they are, and these requests are not counted themselves.
 */

#include "http/exchange.h"

/* monitor_serve - whether the request was one of these; it is answered then, in x->rs */
bool monitor_serve(struct exchange *x);

#endif
