/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PROM_H
#define BERTH_BASE_PROM_H

/*
 * prom: Prometheus' text format, version 0.0.4 (prometheus.io, "Exposition formats").
 *
 * A family is begun once, and its samples follow. Names of families and labels are static text; values of labels are
 * escaped here.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

/* prom_family - "# HELP" and "# TYPE" */
void prom_family(struct str *out, const char *name, enum prom_type type, const char *help);

/* prom_label - one more label of the sample that is to come: added to `labels`, which the caller resets */
void prom_label(struct str *labels, const char *key, const char *value);

/* prom_number, prom_seconds - one sample; labels may be NULL; usec: microseconds, shown as seconds */
void prom_number(struct str *out, const char *name, const struct str *labels, uint64_t value);
void prom_seconds(struct str *out, const char *name, const struct str *labels, uint64_t usec);

/*
 * prom_histogram - the samples of one histogram of durations
 * bounds  n upper bounds in microseconds, rising
 * counts  n + 1 of them: how many fell between the bound before and this one; the last: beyond all bounds
 * sum     microseconds
 */
void prom_histogram(struct str *out, const char *name, const struct str *labels, const uint64_t *bounds,
		    const uint64_t *counts, size_t n, uint64_t sum);

#endif
