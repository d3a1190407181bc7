/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_ENDPOINT_H
#define BERTH_RELAY_ENDPOINT_H

/*
 * endpoint: the delivery to one receiver, from reading the journal to writing down how far it has come (doc/WEBHOOKS.md).
 *
 * Only the holder of the lock has endpoints. Each works by itself: it waits for its own receiver alone.
 */

#include "conf/endpoint.h"
#include "relay/client.h"
#include "relay/format.h"
#include "relay/workers.h"

struct event_base;
struct endpoint;

struct endpoint_env {           /* borrowed until endpoint_close() */
	struct event_base *base;
	struct client *client;
	struct workers *workers;
	int dirfd;              /* the store's root */
	struct format_source source;
};

/* endpoint_open - begin; never fails: what cannot be read now is tried again */
struct endpoint *endpoint_open(const struct endpoint_env *env, const struct config_endpoint *cf);

/* endpoint_close - stop at once, and write down how far it has come */
void endpoint_close(struct endpoint **e);

/* endpoint_wake - the journal may have more; endpoint_look - there may be a request of `berth hooks` */
void endpoint_wake(struct endpoint *e);
void endpoint_look(struct endpoint *e);

#endif
