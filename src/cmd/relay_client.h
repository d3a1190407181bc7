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
#include <stddef.h>
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
 * Returns 0 when a worker has stored it, or -1 with *e: UNAVAILABLE 503 if no relay answers, else why it could not be had.
 */
int relay_client_manifest(struct relay_client *c, const char *uri, struct err *e);

struct relay_blob {
	const char *uri;                /* "warm?…", borrowed */
	bool stored;                    /* a worker has stored it; else e says why not, as above */
	uint64_t size;                  /* bytes, if it is stored */
	struct err e;                   /* the caller releases it */
};

/*
 * relay_client_blobs - have blobs fetched, some at the same time
 * progress  called from time to time with the number of bytes that have come so far, of all of them
 */
typedef void relay_client_progress(void *arg, uint64_t bytes);
void relay_client_blobs(struct relay_client *c, struct relay_blob *v, size_t count, relay_client_progress *progress, void *arg);

#endif
