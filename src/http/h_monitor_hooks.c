/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h_monitor_hooks: the deliveries of events, from the files in which the relay keeps its place.
 *
 * Owns the names of these metrics. The label is the name that the operator gave the endpoint. A part of h_monitor.
 */
#include "http/h_monitor_hooks.h"

#include <time.h>

#include "base/mem.h"
#include "base/prom.h"
#include "registry/reg_hook.h"

#define LOOK_AHEAD (256 * 1024)         /* bytes of the journal in which an event that waits is looked for */

struct hook {
	const struct config_endpoint *ep;
	struct hook_state s;
	uint64_t waiting;               /* seconds */
};

/* What cannot be read is left out: the log of the relay, and `berth hooks list`, say why. */
static size_t read_all(struct registry *r, struct hook *hooks)
{
	int64_t now = (int64_t)time(NULL);
	size_t count = 0;

	for (size_t i = 0; i < r->cfg->nendpoints; i++) {
		cleanup_err struct err ignored = ERR_INIT;
		struct hook *h = &hooks[count];
		struct hook_waiting w;

		h->ep = &r->cfg->endpoints[i];
		if (reg_hook_state(r, h->ep, &h->s, &ignored) < 0 || reg_hook_waiting(r, h->ep, &h->s, 1, LOOK_AHEAD, &w, &ignored) < 0)
			continue;
		h->waiting = w.since && w.since < now ? (uint64_t)(now - w.since) : 0;
		count++;
	}
	return count;
}

static void sample(struct str *out, const char *name, const struct hook *h, uint64_t value)
{
	cleanup_str struct str labels = STR_INIT;

	prom_label(&labels, "endpoint", h->ep->name);
	prom_number(out, name, &labels, value);
}

void monitor_hooks(struct str *out, struct registry *r)
{
	static const char delivered[] = "berth_hook_delivered_total", failed[] = "berth_hook_failed_total", dead[] = "berth_hook_dead_total",
			  waiting[] = "berth_hook_waiting_seconds", last[] = "berth_hook_last_success_timestamp_seconds";
	cleanup_free struct hook *hooks = xcalloc(r->cfg->nendpoints + 1, sizeof(*hooks));
	size_t n = read_all(r, hooks), i;

	if (!n)
		return;
	prom_family(out, delivered, PROM_COUNTER, "Events that the endpoint has accepted.");
	for (i = 0; i < n; i++)
		sample(out, delivered, &hooks[i], hooks[i].s.delivered);
	prom_family(out, failed, PROM_COUNTER, "Tries to deliver that failed; what they were to deliver is tried again.");
	for (i = 0; i < n; i++)
		sample(out, failed, &hooks[i], hooks[i].s.failed);
	prom_family(out, dead, PROM_COUNTER, "Events that were given up: the endpoint refuses them, or did not answer for too long.");
	for (i = 0; i < n; i++)
		sample(out, dead, &hooks[i], hooks[i].s.dead);
	prom_family(out, waiting, PROM_GAUGE, "The age of the oldest event that is still to be delivered; 0: none waits.");
	for (i = 0; i < n; i++)
		sample(out, waiting, &hooks[i], hooks[i].waiting);
	prom_family(out, last, PROM_GAUGE, "When an event was last delivered, in seconds since the epoch; 0: never.");
	for (i = 0; i < n; i++)
		sample(out, last, &hooks[i], (uint64_t)hooks[i].s.delivered_at);
}
