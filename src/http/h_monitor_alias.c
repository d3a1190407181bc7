/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h_monitor_alias: what h_monitor counts, with the names of registry:2.
 *
 * Owns which of its handlers a route is. A part of `h_monitor`.
 */
#include "http/h_monitor_alias.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "base/prom.h"
#include "http/route.h"

/* The name of the handler for a route; what registry:2 does not have keeps its own name. */
static const char *handler_of(unsigned route)
{
	static const struct {
		const char *route, *handler;
	} names[] = { { "uploads", "blob_upload" }, { "upload", "blob_upload_chunk" } };
	const char *label = route_label(route);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].route, label) == 0)
			return names[i].handler;
	return label;
}

static uint64_t read_word(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void add_requests_of(struct str *out, unsigned route, enum method method)
{
	cleanup_str struct str labels = STR_INIT, name = STR_INIT;
	char code[8];

	for (const char *p = request_method_text(method); *p; p++)
		str_addc(&name, (char)tolower((unsigned char)*p));
	for (size_t i = 0; i < METRICS_STATUSES; i++) {
		uint64_t n = read_word(&metrics_table()->requests[route][method][i]);

		if (!n)
			continue;
		str_reset(&labels);
		snprintf(code, sizeof(code), "%d", metrics_status(i));
		prom_label(&labels, "code", metrics_status(i) ? code : "other");
		prom_label(&labels, "handler", handler_of(route));
		prom_label(&labels, "method", name.buf);
		prom_number(out, "registry_http_requests_total", &labels, n);
	}
}

static uint64_t count_of(const struct metrics_times *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= METRICS_BUCKETS; i++)
		sum += read_word(&t->bucket[i]);
	return sum;
}

/* The bytes of bodies by handler: their sum, and of how many requests. */
static void add_sizes(struct str *out, const char *name, const char *help, const _Atomic uint64_t *bytes)
{
	cleanup_str struct str labels = STR_INIT;

	prom_family(out, name, PROM_SUMMARY, help);
	for (unsigned route = 0; route_label(route); route++) {
		str_reset(&labels);
		prom_label(&labels, "handler", handler_of(route));
		prom_summary(out, name, &labels, read_word(&bytes[route]), count_of(&metrics_table()->took[route]));
	}
}

static void add_times(struct str *out)
{
	static const char name[] = "registry_http_request_duration_seconds";
	cleanup_str struct str labels = STR_INIT;

	prom_family(out, name, PROM_HISTOGRAM, "As berth_http_request_duration_seconds.");
	for (unsigned route = 0; route_label(route); route++) {
		const struct metrics_times *t = &metrics_table()->took[route];
		uint64_t counts[METRICS_BUCKETS + 1];

		for (size_t i = 0; i <= METRICS_BUCKETS; i++)
			counts[i] = read_word(&t->bucket[i]);
		str_reset(&labels);
		prom_label(&labels, "handler", handler_of(route));
		prom_histogram(out, name, &labels, metrics_bounds, counts, METRICS_BUCKETS, read_word(&t->usec));
	}
}

void monitor_alias(struct str *out, const char *in_flight)
{
	uint64_t n;

	prom_family(out, "registry_http_requests_total", PROM_COUNTER, "As berth_http_requests_total.");
	for (unsigned route = 0; route_label(route); route++)
		for (int method = 0; method <= METHOD_OTHER; method++)
			add_requests_of(out, route, (enum method)method);
	add_times(out);
	add_sizes(out, "registry_http_request_size_bytes", "As berth_http_request_bytes_total.", metrics_table()->in);
	add_sizes(out, "registry_http_response_size_bytes", "As berth_http_response_bytes_total.", metrics_table()->out);
	if (!in_flight || str_parse_u64(in_flight, strlen(in_flight), &n) < 0)
		return;
	prom_family(out, "registry_http_in_flight_requests", PROM_GAUGE, "Requests that nginx is answering, this one among them.");
	prom_number(out, "registry_http_in_flight_requests", NULL, n);
}
