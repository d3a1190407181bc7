/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prom: writes Prometheus' text format.
 *
 * Owns no state. Does not know any metric.
 */
#include "base/prom.h"

#include <inttypes.h>

#define MILLION UINT64_C(1000000)

void prom_family(struct str *out, const char *name, enum prom_type type, const char *help)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "summary" };

	str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

void prom_label(struct str *labels, const char *key, const char *value)
{
	str_addf(labels, "%s%s=\"", labels->len ? "," : "", key);
	for (; *value; value++) {
		if (*value == '\n')
			str_puts(labels, "\\n");
		else
			str_addf(labels, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
	}
	str_puts(labels, "\"");
}

/* Writes a sample up to its value. */
static void begin(struct str *out, const char *name, const char *suffix, const struct str *labels)
{
	str_addf(out, "%s%s", name, suffix);
	if (labels && labels->len)
		str_addf(out, "{%s}", labels->buf);
	str_puts(out, " ");
}

static void add_seconds(struct str *out, uint64_t usec)
{
	uint64_t fraction = usec % MILLION;
	int digits = 6;

	str_addf(out, "%" PRIu64, usec / MILLION);
	if (!fraction)
		return;
	for (; fraction % 10 == 0; digits--)
		fraction /= 10;
	str_addf(out, ".%0*" PRIu64, digits, fraction);
}

void prom_number(struct str *out, const char *name, const struct str *labels, uint64_t value)
{
	begin(out, name, "", labels);
	str_addf(out, "%" PRIu64 "\n", value);
}

void prom_seconds(struct str *out, const char *name, const struct str *labels, uint64_t usec)
{
	begin(out, name, "", labels);
	add_seconds(out, usec);
	str_puts(out, "\n");
}

void prom_summary(struct str *out, const char *name, const struct str *labels, uint64_t sum, uint64_t count)
{
	begin(out, name, "_sum", labels);
	str_addf(out, "%" PRIu64 "\n", sum);
	begin(out, name, "_count", labels);
	str_addf(out, "%" PRIu64 "\n", count);
}

void prom_histogram(struct str *out, const char *name, const struct str *labels, const uint64_t *bounds,
		    const uint64_t *counts, size_t n, uint64_t sum)
{
	cleanup_str struct str with = STR_INIT, le = STR_INIT;
	uint64_t total = 0;
	size_t i;

	for (i = 0; i <= n; i++) {
		total += counts[i];
		str_reset(&with);
		if (labels)
			str_add(&with, labels->buf, labels->len);
		str_reset(&le);
		if (i < n)
			add_seconds(&le, bounds[i]);
		else
			str_puts(&le, "+Inf");
		prom_label(&with, "le", le.buf);
		begin(out, name, "_bucket", &with);
		str_addf(out, "%" PRIu64 "\n", total);
	}
	begin(out, name, "_sum", labels);
	add_seconds(out, sum);
	str_puts(out, "\n");
	begin(out, name, "_count", labels);
	str_addf(out, "%" PRIu64 "\n", total);
}
