/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_RELAY_URI_H
#define BERTH_BASE_RELAY_URI_H

/* relay_uri: what berth-relay is asked of an upstream, as a URI (doc/CACHE.md, "How it works"). */

#include "base/str.h"

/*
 * relay_uri - add "WHAT?up=…&repo=…&name=…"
 * what      for example "manifest"
 * upstream  its name; "" is that of the one whose mirror the whole registry is
 * repo      the repository here
 * name      the repository there
 */
void relay_uri(struct str *uri, const char *what, const char *upstream, const char *repo, const char *name);

/* relay_uri_add - add another argument, "&KEY=…" */
void relay_uri_add(struct str *uri, const char *key, const char *value);

#endif
