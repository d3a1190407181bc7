/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_HOOK_H
#define BERTH_REGISTRY_REG_HOOK_H

/* reg_hook: how far the deliveries to an endpoint have come, for those who look on: the relay delivers. */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/hook_state.h"
#include "conf/endpoint.h"
#include "registry/registry.h"

/* reg_hook_state - the state of an endpoint: 1; 0, and an empty one, if no relay has begun to deliver to it; -1 with *e */
int reg_hook_state(struct registry *r, const struct config_endpoint *ep, struct hook_state *out, struct err *e);

struct hook_waiting {
	uint64_t count;
	bool more;              /* there may be more: the limits were reached */
	int64_t since;          /* the time of the oldest, seconds since the epoch; 0: there is none */
};

/*
 * reg_hook_waiting - count the events behind its place in the journal that are for it
 * max    events, and
 * bytes  of lines that are read
 * Events that are under way count. Returns 0, or -1 with *e.
 */
int reg_hook_waiting(struct registry *r, const struct config_endpoint *ep, const struct hook_state *s, uint64_t max, uint64_t bytes,
		     struct hook_waiting *out, struct err *e);

#endif
