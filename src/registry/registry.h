/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REGISTRY_H
#define BERTH_REGISTRY_REGISTRY_H

/*
 * registry: the store and the configuration on which the reg_* modules carry out the operations of the Distribution
 * Specification. They know neither users nor protocols: callers check access rights.
 */

#include "conf/config.h"
#include "store/store.h"

struct registry {
	struct store *st;               /* borrowed */
	const struct config *cfg;       /* borrowed */
};

/*
 * The condition under which a tag is changed (RFC 9110, 13.1; doc/API.md, "Conditional PUT and DELETE").
 * Each is a header's text for etag_matches(), or NULL.
 */
struct precondition {
	const char *if_match;
	const char *if_none_match;
};

#endif
