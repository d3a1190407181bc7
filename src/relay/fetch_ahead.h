/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FETCH_AHEAD_H
#define BERTH_RELAY_FETCH_AHEAD_H

/*
 * fetch_ahead: the images of `platforms`, before a client asks for them (doc/CACHE.md, "Platforms").
 *
 * When an index was stored, its images for these platforms are fetched, and then what they name, a few at a time. What the repository or the
 * store has already is not: a worker is asked first. What clients ask for meanwhile is fetched once for both.
 */

#include "relay/fetch.h"

struct ahead;
struct blobs;
struct manifests;

struct ahead *ahead_open(struct fetch_env *env, struct manifests *m, struct blobs *b);
void ahead_close(struct ahead **a);             /* before those two */

/* ahead_running - what is to be fetched yet, and what is under way */
size_t ahead_running(const struct ahead *a);

#endif
