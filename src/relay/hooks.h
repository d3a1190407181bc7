/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_HOOKS_H
#define BERTH_RELAY_HOOKS_H

/*
 * hooks: delivers the events of the journal to the endpoints of the configuration (doc/WEBHOOKS.md).
 *
 * Each endpoint has a place in the journal of its own, on disk, and waits for nobody else. On several machines one relay delivers: the
 * one that holds the lock berth/journal/readers/lock.
 */

#include <stddef.h>
#include "conf/endpoint.h"
#include "relay/client.h"
#include "relay/workers.h"

struct event_base;
struct hooks;

/*
 * hooks_open   - begin to deliver; the endpoints and the name of the root are borrowed until hooks_close()
 * root         of the store; the relay reads berth/journal/ below it, and writes berth/journal/readers/
 * Returns an owned struct, or NULL with one line for the operator in *why.
 */
struct hooks *hooks_open(struct event_base *base, struct client *c, struct workers *w, const char *root, const struct config_endpoint *endpoints,
			 size_t count, struct str *why);

/* hooks_close - stop at once; what is under way is delivered again by the next one */
void hooks_close(struct hooks **h);

#endif
