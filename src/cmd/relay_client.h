/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_RELAY_CLIENT_H
#define BERTH_CMD_RELAY_CLIENT_H

/*
 * relay_client: a command asks berth-relay to fetch, at the socket where nginx does (doc/CACHE.md, "How it works").
 *
 * A relay that has answered once and then ends is waited for, since another one is started in its place, and asked again: all of these may be done
 * twice.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"

struct relay_client {
	const char *socket;             /* borrowed */
	bool met;                       /* it has answered, so it is waited for */
	struct uuid id;                 /* of these requests, in the logs of the relay and the workers */
};

void relay_client_init(struct relay_client *c, const char *socket);

/*
 * relay_client_manifest - have a manifest fetched, or a tag confirmed; uri: "manifest?…" (base/relay_uri.h)
 * relay_client_warm     - have a blob fetched; uri: "warm?…"; progress: how many bytes of it are here, from time to time
 * Each returns 0 when a worker has stored it, or -1 with *e: UNAVAILABLE 503 if no relay answers, else why it could not be had.
 */
typedef void relay_client_progress(void *arg, uint64_t bytes);
int relay_client_manifest(struct relay_client *c, const char *uri, struct err *e);
int relay_client_warm(struct relay_client *c, const char *uri, relay_client_progress *progress, void *arg, struct err *e);

#endif
