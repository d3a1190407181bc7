/* SPDX-License-Identifier: Apache-2.0 */
/* api_admin: /berth/v1/status and /berth/v1/gc: the state of the registry, and its collections (doc/PAGE.md, "The API"). */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "base/time.h"
#include "care/evict_sizes.h"
#include "care/gc_last.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "os/process.h"
#include "registry/reg_hook.h"
#include "store/alone.h"
#include "store/beat.h"
#include "store/collector.h"

#define WAITING_MAX 1000                /* events of an endpoint that are counted, */
#define WAITING_BYTES (1024 * 1024)     /* in so much of the journal */

static void add_text(struct str *out, const char *key, const char *text)
{
	str_addf(out, "\"%s\":\"", key);
	str_add_json(out, text, strlen(text));
	str_puts(out, "\"");
}

static void add_time(struct str *out, const char *key, int64_t seconds)
{
	char text[TIME_RFC3339_MAX];

	str_addf(out, "\"%s\":\"%s\"", key, time_text(text, seconds));
}

/* `bytes`: of the content, as far as a collection has counted it. */
static void add_disk(struct registry *r, struct str *out)
{
	cleanup_err struct err ignored = ERR_INIT;
	struct statvfs fs;
	struct gc_last last;
	const char *comma = "";

	str_puts(out, "\"disk\":{");
	if (gc_last_adopt(r->st, true, &last, &ignored) == 1 && last.result.sized) {
		str_addf(out, "\"bytes\":%" PRIu64, gc_last_bytes());
		comma = ",";
	}
	if (fstatvfs(r->st->dirfd, &fs) == 0)
		str_addf(out, "%s\"free\":%" PRIu64 ",\"size\":%" PRIu64, comma, (uint64_t)fs.f_bavail * fs.f_frsize,
			 (uint64_t)fs.f_blocks * fs.f_frsize);
	str_puts(out, "}");
}

/* A registry that is the mirror of another one as a whole has no name for it but its URL. */
static const char *mirror_name(const struct config_upstream *u)
{
	const char *host = *u->name || !u->urls.count ? NULL : strstr(u->urls.v[0], "://");

	return host ? host + 3 : u->name;
}

/* What only mirrors have is counted all the time, and for each of several by evictions. */
static void add_mirrors(struct registry *r, struct str *out)
{
	const struct config *cfg = r->cfg;
	cleanup_dated struct dated sizes = DATED_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	bool noted = cfg->nupstreams > 1 && evict_sizes_read(r->st, &sizes, &ignored) == 1;
	uint64_t bytes;

	str_puts(out, "\"mirrors\":[");
	for (size_t i = 0; i < cfg->nupstreams; i++) {
		str_puts(out, i ? ",{" : "{");
		add_text(out, "name", mirror_name(&cfg->upstreams[i]));
		if (noted && evict_sizes_find(&sizes, cfg->upstreams[i].name, &bytes)) {
			str_addf(out, ",\"bytes\":%" PRIu64 ",", bytes);
			add_time(out, "as_of", sizes.when);
		} else if (cfg->nupstreams == 1 && alone_size(r->st, &bytes, &ignored) == 1)
			str_addf(out, ",\"bytes\":%" PRIu64, bytes);
		str_puts(out, "}");
	}
	str_puts(out, "]");
}

/* What cannot be read is missing: `berth hooks list` says why. */
static void add_endpoints(struct registry *r, struct str *out)
{
	str_puts(out, "\"endpoints\":[");
	for (size_t i = 0; i < r->cfg->nendpoints; i++) {
		const struct config_endpoint *ep = &r->cfg->endpoints[i];
		cleanup_err struct err ignored = ERR_INIT;
		struct hook_waiting w;
		struct hook_state s;

		str_puts(out, i ? ",{" : "{");
		add_text(out, "name", ep->name);
		if (reg_hook_state(r, ep, &s, &ignored) >= 0) {
			str_addf(out, ",\"failing\":%s", s.in_row ? "true" : "false");
			if (reg_hook_waiting(r, ep, &s, WAITING_MAX, WAITING_BYTES, &w, &ignored) == 0)
				str_addf(out, ",\"waiting\":%" PRIu64, w.count);
		}
		str_puts(out, "}");
	}
	str_puts(out, "]");
}

/* None where the store is on a file system of this machine alone. */
static void add_machines(struct registry *r, struct str *out)
{
	cleanup_free struct beat_seen *v = NULL;
	cleanup_err struct err ignored = ERR_INIT;
	size_t count;

	str_puts(out, "\"machines\":[");
	if (beat_seen_all(r->st, &v, &count, &ignored) < 0)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		str_puts(out, i ? ",{" : "{");
		add_text(out, "name", v[i].host);
		str_puts(out, ",");
		add_text(out, "version", v[i].version);
		str_puts(out, ",");
		add_time(out, "since", v[i].since);
		str_puts(out, ",");
		add_time(out, "seen", v[i].beat);
		str_addf(out, ",\"serves\":%s}", v[i].serves ? "true" : "false");
	}
	str_puts(out, "]");
}

int api_status_get(struct exchange *x, struct err *e)
{
	struct str *out = &x->rs.body;

	(void)e;
	response_json(&x->rs, 200);
	str_puts(out, "{\"version\":\"" PACKAGE_VERSION "\",");
	add_disk(x->reg, out);
	str_addf(out, ",\"uploads\":%" PRIu64 ",\"readonly\":%s,", gc_last_uploads(), x->reg->cfg->readonly ? "true" : "false");
	add_mirrors(x->reg, out);
	str_puts(out, ",");
	add_endpoints(x->reg, out);
	str_puts(out, ",");
	add_machines(x->reg, out);
	str_puts(out, "}\n");
	return 0;
}

static uint64_t removed(const struct gc_result *r)
{
	uint64_t sum = 0;

	for (int kind = 0; kind < GC_UNREADABLE; kind++)
		sum += r->count[kind];
	return sum;
}

/* What went, and what was left, as far as it was counted. */
static void add_counts(const struct gc_last *last, struct str *out)
{
	static const struct {
		enum gc_kind kind;
		const char *name;
	} kinds[] = {
		{ GC_MANIFEST, "manifests" }, { GC_LINK, "links" }, { GC_BLOB, "blobs" }, { GC_UPLOAD, "uploads" }, { GC_LEFTOVER, "leftovers" },
	};

	str_puts(out, ",\"kinds\":{");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		str_addf(out, "%s\"%s\":%" PRIu64, i ? "," : "", kinds[i].name, last->result.count[kinds[i].kind]);
	str_addf(out, "},\"stays\":{\"blobs\":%" PRIu64, last->result.kept);
	if (last->result.sized)
		str_addf(out, ",\"bytes\":%" PRIu64, last->result.kept_bytes);
	str_puts(out, "}");
}

/* The last collection, on whatever machine; or one that this master has begun since, and that failed. */
static int add_last(struct exchange *x, struct str *out, struct err *e)
{
	uint64_t failed = metrics_get(METRIC_GC_FAILED_ENDED);
	struct gc_last last;
	int found = gc_last_read(x->reg->st, &last, e);

	if (found < 0 || (!found && !failed))
		return found;
	str_puts(out, "\"last\":{");
	if (failed && (!found || last.run == metrics_get(METRIC_GC_FAILED_AFTER))) {
		add_time(out, "began", (int64_t)metrics_get(METRIC_GC_FAILED_BEGAN));
		str_puts(out, ",");
		add_time(out, "ended", (int64_t)failed);
		str_puts(out, ",\"failed\":true}");
		return 1;
	}
	add_time(out, "began", last.ended - (int64_t)(last.usec / 1000000));
	str_puts(out, ",");
	add_time(out, "ended", last.ended);
	str_addf(out, ",\"removed\":%" PRIu64 ",\"bytes\":%" PRIu64, removed(&last.result), last.result.bytes);
	add_counts(&last, out);
	str_puts(out, ",\"failed\":false}");
	return 1;
}

static int add_running(struct exchange *x, struct str *out, struct err *e)
{
	struct collector_state s;
	int running = collector_running(x->reg->st, &s, e);

	if (running <= 0)
		return running;
	str_puts(out, "\"running\":{");
	if (s.began)
		add_time(out, "began", s.began);
	if (s.began && *s.phase)
		str_puts(out, ",");
	if (*s.phase)
		add_text(out, "phase", s.phase);
	str_puts(out, "}");
	return 1;
}

int api_gc_get(struct exchange *x, struct err *e)
{
	struct str *out = &x->rs.body;
	uint64_t due = metrics_get(METRIC_GC_DUE);
	int (*const parts[])(struct exchange *x, struct str *out, struct err *e) = { add_last, add_running };

	response_json(&x->rs, 200);
	str_addf(out, "{\"readonly\":%s,", x->reg->cfg->readonly ? "true" : "false");
	for (size_t i = 0; i < 2; i++) {
		int added = parts[i](x, out, e);

		if (added < 0)
			return -1;
		if (added)
			str_puts(out, ",");
	}
	if (due)
		add_time(out, "next", (int64_t)due);
	else
		str_cut(out, out->len - 1);
	str_puts(out, "}\n");
	return 0;
}

/* The master collects. No request waits for that, and many that ask are one. */
int api_gc_post(struct exchange *x, struct err *e)
{
	if (os_tell_parent(x->reg->master, SIGUSR1) < 0)
		return err_set(e, ERR_UNAVAILABLE, "the master that would collect has gone");
	guard_note(x, "collect");
	response_json(&x->rs, 202);
	str_puts(&x->rs.body, "{}\n");
	return 0;
}
