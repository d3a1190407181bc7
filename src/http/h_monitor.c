/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h_monitor: /readyz, /debug/health and /metrics.
 *
 * Owns the names of the metrics: doc/METRICS.md lists them, and t/8061 compares the two.
 */
#include "http/h_monitor.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/prom.h"
#include "care/gc_last.h"
#include "care/retain_state.h"
#include "conf/rules.h"
#include "http/h_monitor_alias.h"
#include "http/h_monitor_hooks.h"
#include "http/route.h"
#include "registry/ready.h"
#include "store/alone.h"
#include "store/beat.h"
#include "store/lock.h"
#include "store/quota.h"

_Static_assert(METHOD_OTHER < METRICS_METHODS, "more methods than are counted");

static const char *const pools[METRICS_POOLS] = { "requests", "writes", "uploads", "relay" };

static uint64_t read_word(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void simple(struct str *out, const char *name, enum prom_type type, const char *help, uint64_t value)
{
	prom_family(out, name, type, help);
	prom_number(out, name, NULL, value);
}

/* A sample for each of n consecutive words, by one label. */
static void labelled(struct str *out, const char *name, const char *label, const char *const *values, enum metric first, size_t n)
{
	cleanup_str struct str labels = STR_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		str_reset(&labels);
		prom_label(&labels, label, values[i]);
		prom_number(out, name, &labels, metrics_get(first + (enum metric)i));
	}
}

static void add_requests_of(struct str *out, const char *name, unsigned route, enum method method)
{
	cleanup_str struct str labels = STR_INIT;
	char text[8];
	size_t i;

	for (i = 0; i < METRICS_STATUSES; i++) {
		uint64_t n = read_word(&metrics_table()->requests[route][method][i]);

		if (!n)
			continue;
		str_reset(&labels);
		prom_label(&labels, "route", route_label(route));
		prom_label(&labels, "method", request_method_text(method));
		snprintf(text, sizeof(text), "%d", metrics_status(i));
		prom_label(&labels, "status", metrics_status(i) ? text : "other");
		prom_number(out, name, &labels, n);
	}
}

static void add_times(struct str *out, const char *name, const struct str *labels, const struct metrics_times *t)
{
	uint64_t counts[METRICS_BUCKETS + 1];
	size_t i;

	for (i = 0; i <= METRICS_BUCKETS; i++)
		counts[i] = read_word(&t->bucket[i]);
	prom_histogram(out, name, labels, metrics_bounds, counts, METRICS_BUCKETS, read_word(&t->usec));
}

/* A sample for each route: its bytes, or, without an array of bytes, its durations. */
static void add_by_route(struct str *out, const char *name, const _Atomic uint64_t *bytes)
{
	cleanup_str struct str labels = STR_INIT;
	unsigned route;

	for (route = 0; route_label(route); route++) {
		str_reset(&labels);
		prom_label(&labels, "route", route_label(route));
		if (bytes)
			prom_number(out, name, &labels, read_word(&bytes[route]));
		else
			add_times(out, name, &labels, &metrics_table()->took[route]);
	}
}

static void add_requests(struct str *out)
{
	unsigned route;
	int method;

	prom_family(out, "berth_http_requests_total", PROM_COUNTER,
		    "Requests that workers have answered. The status is the worker's: a range of a blob is 200 here.");
	for (route = 0; route_label(route); route++)
		for (method = 0; method <= METHOD_OTHER; method++)
			add_requests_of(out, "berth_http_requests_total", route, (enum method)method);
	prom_family(out, "berth_http_request_duration_seconds", PROM_HISTOGRAM,
		    "How long a worker took for a request, without receiving its body or sending a blob.");
	add_by_route(out, "berth_http_request_duration_seconds", NULL);
	prom_family(out, "berth_http_request_bytes_total", PROM_COUNTER, "Bytes of the bodies of answered requests.");
	add_by_route(out, "berth_http_request_bytes_total", metrics_table()->in);
	prom_family(out, "berth_http_response_bytes_total", PROM_COUNTER,
		    "Bytes of the bodies of answers, with those of blobs that nginx sends, even if the client does not read them to the end.");
	add_by_route(out, "berth_http_response_bytes_total", metrics_table()->out);
}

static void add_refused(struct str *out)
{
	static const char *const reasons[] = { "wrong", "throttled", "unavailable" };

	prom_family(out, "berth_logins_refused_total", PROM_COUNTER,
		    "Logins refused: wrong password, too many failures before, or unreadable files of users.");
	labelled(out, "berth_logins_refused_total", "reason", reasons, METRIC_LOGIN_WRONG, ARRAY_LEN(reasons));
}

static void add_locks(struct str *out)
{
	cleanup_str struct str labels = STR_INIT;
	int kind;

	prom_family(out, "berth_lock_wait_seconds", PROM_HISTOGRAM, "Waits for a lock of the store that another process had.");
	for (kind = 0; kind < LOCK_KINDS; kind++) {
		str_reset(&labels);
		prom_label(&labels, "lock", lock_kind_name((enum lock_kind)kind));
		add_times(out, "berth_lock_wait_seconds", &labels, &metrics_table()->waited[kind]);
	}
}

/* A sample for each pool with workers of its own. */
static void by_pool(struct str *out, const char *name, enum metric first)
{
	int pool;

	for (pool = 0; pool < METRICS_POOLS; pool++)
		if (pool == POOL_REQUESTS || metrics_get(METRIC_WORKERS_WANTED + (enum metric)pool))
			labelled(out, name, "pool", &pools[pool], first + (enum metric)pool, 1);
}

static void add_workers(struct str *out)
{
	prom_family(out, "berth_workers", PROM_GAUGE, "Workers that accept requests.");
	by_pool(out, "berth_workers", METRIC_WORKERS);
	prom_family(out, "berth_workers_wanted", PROM_GAUGE, "Configured number of workers.");
	by_pool(out, "berth_workers_wanted", METRIC_WORKERS_WANTED);
	prom_family(out, "berth_worker_restarts_total", PROM_COUNTER, "Workers that died unexpectedly and were replaced.");
	by_pool(out, "berth_worker_restarts_total", METRIC_RESTARTS);
	simple(out, "berth_relay_restarts_total", PROM_COUNTER,
	       "Times that berth-relay died unexpectedly and was replaced; 0 where berth-fcgi does not start it.",
	       metrics_get(METRIC_RELAY_RESTARTS));
}

/* known: a collection has counted the blobs in the store; sized: and their bytes. */
static void add_store(struct str *out, struct registry *r, bool known, bool sized)
{
	struct statvfs fs;

	simple(out, "berth_blobs_added_total", PROM_COUNTER, "Blobs and manifests added that the store did not have before.",
	       metrics_get(METRIC_BLOBS_ADDED));
	simple(out, "berth_blob_added_bytes_total", PROM_COUNTER, "Their bytes.", metrics_get(METRIC_BLOB_BYTES_ADDED));
	if (known)
		simple(out, "berth_stored_blobs", PROM_GAUGE,
		       "Blobs and manifests in the store: after the last collection, and those added since.",
		       gc_last_blobs());
	if (sized)
		simple(out, "berth_stored_bytes", PROM_GAUGE, "Their bytes.", gc_last_bytes());
	simple(out, "berth_uploads_begun_total", PROM_COUNTER, "Uploads begun.", metrics_get(METRIC_UPLOADS_BEGUN));
	simple(out, "berth_uploads_ended_total", PROM_COUNTER, "Uploads finished, refused or cancelled.",
	       metrics_get(METRIC_UPLOADS_ENDED));
	simple(out, "berth_uploads_open", PROM_GAUGE, "Open uploads: after the last collection, and those begun and ended since.",
	       gc_last_uploads());
	if (fstatvfs(r->st->dirfd, &fs) < 0)
		return;
	simple(out, "berth_store_size_bytes", PROM_GAUGE, "The size of the store's file system.", (uint64_t)fs.f_blocks * fs.f_frsize);
	simple(out, "berth_store_free_bytes", PROM_GAUGE, "Free space there that berth may use.", (uint64_t)fs.f_bavail * fs.f_frsize);
}

static void add_gc(struct str *out, const struct gc_last *last)
{
	static const char *const results[] = { "done", "failed" };
	static const char *const kinds[] = { "manifest", "link", "blob", "upload", "leftover" };

	prom_family(out, "berth_gc_runs_total", PROM_COUNTER,
		    "Collections, by berth-fcgi or by berth gc; failed: only those of berth-fcgi.");
	labelled(out, "berth_gc_runs_total", "result", results, METRIC_GC_DONE, ARRAY_LEN(results));
	prom_family(out, "berth_gc_removed_total", PROM_COUNTER, "Objects that collections have removed.");
	labelled(out, "berth_gc_removed_total", "kind", kinds, METRIC_GC_MANIFESTS, ARRAY_LEN(kinds));
	simple(out, "berth_gc_freed_bytes_total", PROM_COUNTER, "Bytes that collections have freed.", metrics_get(METRIC_GC_BYTES));
	if (!last)
		return;
	simple(out, "berth_gc_last_end_timestamp_seconds", PROM_GAUGE, "When the last collection ended, in seconds since the epoch.",
	       (uint64_t)last->ended);
	prom_family(out, "berth_gc_last_duration_seconds", PROM_GAUGE, "How long the last collection took.");
	prom_seconds(out, "berth_gc_last_duration_seconds", NULL, last->usec);
}

/* Read from the store: rules may have run by hand, or on another machine. */
static void add_rules(struct str *out, struct registry *r)
{
	cleanup_err struct err e = ERR_INIT;
	struct retain_last last;

	if (retain_last_read(r->st, &last, &e) < 0)
		return;
	simple(out, "berth_rules_removed_tags_total", PROM_COUNTER, "Tags that rules have removed since there is the store.", last.removed);
	simple(out, "berth_rules_waiting_tags", PROM_GAUGE, "Tags that the last run would have removed, had rules_delay been over.", last.waiting);
	simple(out, "berth_rules_last_run_timestamp_seconds", PROM_GAUGE, "When rules ran last, in seconds since the epoch; 0: never.",
	       (uint64_t)last.when);
}

/* Missing where the store is on a file system of this machine alone. */
static void add_machines(struct str *out, struct registry *r)
{
	cleanup_free struct beat_seen *v = NULL;
	cleanup_err struct err e = ERR_INIT;
	uint64_t serve = 0;
	size_t count;

	if (r->st->local || beat_seen_all(r->st, &v, &count, &e) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		serve += v[i].serves;
	simple(out, "berth_machines", PROM_GAUGE, "Machines that serve the store.", serve);
	simple(out, "berth_machines_silent", PROM_GAUGE, "Machines that were killed, or stand still, or have lost the store.", count - serve);
}

/* Missing where no rule has a quota. */
static void add_quotas(struct str *out, struct registry *r)
{
	cleanup_err struct err e = ERR_INIT;
	struct quota_sums q;

	if (!rules_any(r->cfg, RULE_QUOTA) || quota_sums(r->st, &q, &e) < 0)
		return;
	simple(out, "berth_quota_refused_total", PROM_COUNTER, "Pushes refused because of a quota.", metrics_get(METRIC_QUOTA_REFUSED));
	simple(out, "berth_quota_counted_total", PROM_COUNTER, "Groups of repositories counted anew from their links.",
	       metrics_get(METRIC_QUOTA_COUNTED));
	simple(out, "berth_quota_groups", PROM_GAUGE, "Groups of repositories that have a quota and are counted.", q.groups);
	simple(out, "berth_quota_groups_warned", PROM_GAUGE, "Those that have used 90 % of their quota, or more.", q.warned);
	simple(out, "berth_quota_used_bytes", PROM_GAUGE, "Bytes that all these groups have used.", q.used);
	simple(out, "berth_quota_allowed_bytes", PROM_GAUGE, "The sum of their quotas.", q.limit);
}

/* Missing where nothing is mirrored. What the relay knows of the upstreams it tells itself: doc/METRICS.md. */
static void add_cache(struct str *out, struct registry *r)
{
	static const char *const kinds[] = { "manifest", "blob" };
	cleanup_err struct err e = ERR_INIT;
	uint64_t bytes;

	if (!r->cfg->nupstreams)
		return;
	prom_family(out, "berth_cache_hits_total", PROM_COUNTER, "Requests of mirrored repositories that were answered from here.");
	labelled(out, "berth_cache_hits_total", "kind", kinds, METRIC_CACHE_HIT_MANIFESTS, ARRAY_LEN(kinds));
	prom_family(out, "berth_cache_misses_total", PROM_COUNTER, "Those that the relay had to answer, tags that it had to check among them.");
	labelled(out, "berth_cache_misses_total", "kind", kinds, METRIC_CACHE_MISS_MANIFESTS, ARRAY_LEN(kinds));
	simple(out, "berth_cache_stale_total", PROM_COUNTER, "Tags that were served though their upstream could not be asked.",
	       metrics_get(METRIC_CACHE_STALE));
	simple(out, "berth_cache_stored_bytes_total", PROM_COUNTER, "Bytes of mirrored repositories that clients got from the store.",
	       metrics_get(METRIC_CACHE_SENT_BYTES));
	if (alone_size(r->st, &bytes, &e) < 0)
		return;
	simple(out, "berth_cache_bytes", PROM_GAUGE, "Bytes of blobs and manifests that only mirrors of other registries have.", bytes);
	simple(out, "berth_cache_evicted_bytes_total", PROM_COUNTER, "Bytes that evictions have freed.", metrics_get(METRIC_CACHE_EVICTED_BYTES));
}

/* nginx passes these in parameters of the request. */
static void add_nginx(struct str *out, const struct request *rq)
{
	static const struct {
		const char *param, *state;
	} states[] = {
		{ "BERTH_NGINX_ACTIVE", "active" }, { "BERTH_NGINX_READING", "reading" },
		{ "BERTH_NGINX_WRITING", "writing" }, { "BERTH_NGINX_WAITING", "waiting" },
	};
	cleanup_str struct str labels = STR_INIT;
	size_t i;

	prom_family(out, "berth_nginx_connections", PROM_GAUGE,
		    "Connections of clients to nginx: all (active), and those being read from, written to, or idle (waiting).");
	for (i = 0; i < ARRAY_LEN(states); i++) {
		const char *text = request_param(rq, states[i].param);
		uint64_t n;

		if (!text || str_parse_u64(text, strlen(text), &n) < 0)
			continue;
		str_reset(&labels);
		prom_label(&labels, "state", states[i].state);
		prom_number(out, "berth_nginx_connections", &labels, n);
	}
}

static void metrics(struct exchange *x)
{
	struct str *out = &x->rs.body;
	cleanup_str struct str labels = STR_INIT, reason = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	struct gc_last last;
	/* Without a readable result of the last collection, the metrics from it are left out. */
	bool known = gc_last_adopt(x->reg->st, true, &last, &e) == 1;

	prom_family(out, "berth_build_info", PROM_GAUGE, "1, with the version of berth.");
	prom_label(&labels, "version", PACKAGE_VERSION);
	prom_number(out, "berth_build_info", &labels, 1);
	simple(out, "berth_start_time_seconds", PROM_GAUGE, "When berth-fcgi was started, in seconds since the epoch.",
	       metrics_get(METRIC_STARTED));
	simple(out, "berth_ready", PROM_GAUGE, "1 where /readyz answers 200, else 0.", ready_check(x->reg, &reason));
	add_workers(out);
	add_machines(out, x->reg);
	add_requests(out);
	add_refused(out);
	add_locks(out);
	add_store(out, x->reg, known, known && last.result.sized);
	add_gc(out, known ? &last : NULL);
	add_rules(out, x->reg);
	add_quotas(out, x->reg);
	add_cache(out, x->reg);
	monitor_hooks(out, x->reg);
	add_nginx(out, &x->rq);
	monitor_alias(out, request_param(&x->rq, "BERTH_NGINX_WRITING"));
	response_header(&x->rs, "Content-Type", "%s", PROM_CONTENT_TYPE);
	x->rs.status = 200;
}

static void ready(struct exchange *x)
{
	cleanup_str struct str reason = STR_INIT;
	bool good = ready_check(x->reg, &reason);

	x->rs.status = good ? 200 : 503;
	response_header(&x->rs, "Content-Type", "text/plain; charset=utf-8");
	response_header(&x->rs, "Cache-Control", "no-store");
	str_addf(&x->rs.body, "%s\n", good ? "ready" : reason.buf);
	if (!good)
		log_say(LOG_WARN, "not_ready", "%s", reason.buf);
}

/* As registry:2 does it: an object with a member for each check that fails. */
static void health(struct exchange *x)
{
	cleanup_str struct str reason = STR_INIT;
	bool good = ready_check(x->reg, &reason);

	response_json(&x->rs, good ? 200 : 503);
	response_header(&x->rs, "Cache-Control", "no-store");
	if (good) {
		str_puts(&x->rs.body, "{}\n");
		return;
	}
	str_puts(&x->rs.body, "{\"storagedriver_filesystem\":\"");
	str_add_json(&x->rs.body, reason.buf, reason.len);
	str_puts(&x->rs.body, "\"}\n");
	log_say(LOG_WARN, "not_ready", "%s", reason.buf);
}

bool monitor_serve(struct exchange *x)
{
	const char *what = request_param(&x->rq, "BERTH_MONITOR");

	if (!what)
		return false;
	if (strcmp(what, "metrics") == 0)
		metrics(x);
	else if (strcmp(what, "health") == 0)
		health(x);
	else
		ready(x);
	return true;
}
