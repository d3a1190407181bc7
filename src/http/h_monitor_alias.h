/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_H_MONITOR_ALIAS_H
#define BERTH_HTTP_H_MONITOR_ALIAS_H

/*
 * h_monitor_alias: the counters of requests once more, under the names and labels that registry:2 gives them, for dashboards and
 * alerts that were made for it (doc/METRICS.md, "Names of registry:2").
 */

#include "base/str.h"

/*
 * monitor_alias - add them to out
 * in_flight  requests that nginx is reading or answering, in decimal digits; NULL: unknown
 */
void monitor_alias(struct str *out, const char *in_flight);

#endif
