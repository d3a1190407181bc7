/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FETCH_LIST_H
#define BERTH_RELAY_FETCH_LIST_H

/*
 * fetch_list: the tags and the referrers of a mirrored repository, as upstream has them now (doc/CACHE.md, "What is asked, and when").
 *
 * Upstream is asked once for all who ask for the same at the same time. If it fails, its last answer is given, with a Warning, as long as there
 * is one in memory that is not older than `stale`; else a worker answers with what is here.
 *
 * query  raw, of the client's request. What it has besides `ns` goes upstream, since the links of upstreams to their next pages have parameters of
 *        their own
 * path   of the client's request, for the link to the next page; "": that of the repository here
 */

#include "base/digest.h"
#include "relay/fetch.h"

struct lists;

struct lists *lists_open(struct fetch_env *env);
void lists_close(struct lists **l);     /* after the server */

/* lists_tags - answer with a page of tags */
void lists_tags(struct lists *l, const struct fetch_ask *a, const char *query, const char *path, struct reply *r);

/* lists_referrers - answer with the index of those that refer to this digest; of an upstream without that API, the one under the fallback tag */
void lists_referrers(struct lists *l, const struct fetch_ask *a, const struct digest *digest, const char *query, const char *path, struct reply *r);

/* lists_running - questions under way */
size_t lists_running(const struct lists *l);

#endif
