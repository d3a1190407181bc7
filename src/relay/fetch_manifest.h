/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FETCH_MANIFEST_H
#define BERTH_RELAY_FETCH_MANIFEST_H

/*
 * fetch_manifest: manifests and tags that are not here, or have to be checked (doc/CACHE.md, "What is asked, and when").
 *
 * Upstream is asked once for all who ask for the same at the same time; that clients go away does not end it. A manifest is stored by a worker before
 * anybody gets it, and a worker serves it then: so one that is large takes no memory for each of those who wait.
 */

#include "relay/fetch.h"

struct manifests;

struct manifests *manifests_open(struct fetch_env *env);
void manifests_close(struct manifests **m);     /* the replies that wait are the server's to close, before */

/*
 * manifests_get - answer with a manifest
 * ref   a valid tag or digest
 * have  the digest that the tag has here; "": there is none
 */
void manifests_get(struct manifests *m, const struct fetch_ask *a, const char *ref, const char *have, struct reply *r);

/*
 * manifests_fetch - fetch one that nobody has asked for, or wait for the fetch that is under way; `done` is called once, also from within this
 *                   call, with the bytes that were stored, or NULL; not after manifests_close()
 * manifests_tell  - have `stored` called with each manifest that was stored of an upstream with `platforms`
 */
typedef void manifests_done(void *arg, const struct str *bytes);
void manifests_fetch(struct manifests *m, const struct fetch_ask *a, const char *digest, manifests_done *done, void *arg);
typedef void manifests_stored(void *arg, const struct fetch_ask *a, const struct str *bytes);
void manifests_tell(struct manifests *m, manifests_stored *stored, void *arg);

/* manifests_running - fetches under way */
size_t manifests_running(const struct manifests *m);

#endif
