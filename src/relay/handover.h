/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_HANDOVER_H
#define BERTH_RELAY_HANDOVER_H

/*
 * handover: what was fetched goes to a worker, which checks and stores it as if a client had pushed it (doc/CACHE.md, "How it works").
 *
 * If no worker answers, another one is asked once more: all of these may be done twice.
 */

#include <stddef.h>
#include <stdint.h>

struct handover;
struct workers;

/*
 * status  of the worker: 2xx, it is stored, and any machine's worker can serve it; 0: none has answered; else it is refused
 * why     one line for the operator; "" with 2xx
 */
typedef void handover_done(void *arg, int status, const char *why);

struct handover_of {                    /* copied */
	const char *repo;               /* the repository here */
	const char *id;                 /* of the client's request; "": none */
	handover_done *done;            /* called once, never from within these functions, unless it is cancelled */
	void *arg;
};

/* handover_manifest - these bytes under a tag or digest; type: its media type */
struct handover *handover_manifest(struct workers *w, const struct handover_of *o, const char *ref, const char *type, const char *body, size_t len);

/* handover_blob - a file of berth/body/, whose name stays the caller's; file: its path within the store */
struct handover *handover_blob(struct workers *w, const struct handover_of *o, const char *digest, const char *file, uint64_t size);

/* handover_checked - the upstream's tag is still this digest */
struct handover *handover_checked(struct workers *w, const struct handover_of *o, const char *tag, const char *digest);

/* handover_has - only a question: status 404, the repository lacks this manifest or blob, and so does the store; kind: "manifest" or "blob" */
struct handover *handover_has(struct workers *w, const struct handover_of *o, const char *kind, const char *digest);

void handover_cancel(struct handover **h);

#endif
