/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_MIRROR_H
#define BERTH_HTTP_MIRROR_H

/*
 * mirror: requests for repositories that mirror another registry's (doc/CACHE.md).
 *
 * What cannot be answered from here goes to berth-relay, by an internal redirect of the web server. The relay sends it back, by another one,
 * once it has handed over what it fetched, or if it could not: x->cached says so, and then it never goes to the relay again.
 */

#include "base/metrics.h"
#include "http/exchange.h"

struct scopes;

/*
 * mirror_space - put the request into its name space, by ns= and Host; after the route is found, and before x->name is parsed
 * NAME_UNKNOWN 404 if there is none of this name. Sets OCI-Namespace where ns= was given.
 */
int mirror_space(struct exchange *x, struct err *e);

/* mirror_of_host - the upstream in whose name space requests to this Host are; NULL: none */
const struct config_upstream *mirror_of_host(const struct exchange *x);

/*
 * mirror_scopes - put what the token service is asked for into the name space of the request's ns= or Host
 * A client asks for the repository as it has named it. The token is for the whole name: so it is worth as much at every Host.
 */
void mirror_scopes(const struct exchange *x, struct scopes *want);

/*
 * mirror_enter - x->name is set: find out whose mirror it is, and whether the request is one that a mirror answers
 * DENIED 403 for pushes; NAME_UNKNOWN 404 for what "allow" excludes.
 */
int mirror_enter(struct exchange *x, struct err *e);

/*
 * Each returns 1 if the request is to be answered from here, as for any repository; 0 if the answer is complete: the relay continues; -1 with *e.
 * mirror_manifest - before it is looked up
 * mirror_manifest_missing, mirror_blob_missing - after that: *e is what the look-up said, and released unless they fail. With 1 it is here now.
 * mirror_list     - tags and referrers; what: as in the relay's URI
 * These count what they hand to the relay. mirror_hit() counts what is answered from here; kind: METRIC_CACHE_HIT_…
 */
int mirror_manifest(struct exchange *x, const struct ref *ref, struct err *e);
int mirror_manifest_missing(struct exchange *x, const struct ref *ref, struct err *e);
int mirror_blob_missing(struct exchange *x, const struct digest *d, struct err *e);
int mirror_list(struct exchange *x, const char *what, struct err *e);

/*
 * mirror_list_here - what was here of a list, or nothing, is about to be the answer: 0 with a Warning, if its upstream could not be asked; or
 *                    -1 with UNAVAILABLE 503 if there is nothing. Without an upstream 0, and *e stays
 */
int mirror_list_here(struct exchange *x, bool any, struct err *e);

void mirror_hit(const struct exchange *x, enum metric kind);

#endif
