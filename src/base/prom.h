/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PROM_H
#define BERTH_BASE_PROM_H

/*
 * prom: Prometheus' text format, version 0.0.4 (prometheus.io, "Exposition formats").
 *
 * Call prom_family() once, then add its samples. Names of families and labels are static text; values of labels are escaped
 * here.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM, PROM_SUMMARY };

/* prom_family - write "# HELP" and "# TYPE" */
void prom_family(struct str *out, const char *name, enum prom_type type, const char *help);

/* prom_label - add a label of the next sample to `labels`, which the caller resets */
void prom_label(struct str *labels, const char *key, const char *value);

/* prom_number, prom_seconds - write one sample; labels may be NULL; usec: microseconds, written as seconds */
void prom_number(struct str *out, const char *name, const struct str *labels, uint64_t value);
void prom_seconds(struct str *out, const char *name, const struct str *labels, uint64_t usec);

/* prom_summary - write a summary without quantiles: a sum and a count */
void prom_summary(struct str *out, const char *name, const struct str *labels, uint64_t sum, uint64_t count);

/*
 * prom_histogram - write the samples of one histogram of durations
 * bounds  n upper bounds in microseconds, in ascending order
 * counts  n + 1 counts: of the durations above the previous bound and up to this one; the last: above all bounds
 * sum     of all durations, in microseconds
 */
void prom_histogram(struct str *out, const char *name, const struct str *labels, const uint64_t *bounds,
		    const uint64_t *counts, size_t n, uint64_t sum);

#endif
