/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REGISTRY_H
#define BERTH_REGISTRY_REGISTRY_H

/*
 * registry: the operations of the Distribution Specification on a store, under one configuration.
 *
 * What the reg_* modules work on. Who asks, and over which protocol, is not known here: rights are checked above.
 */

#include "conf/config.h"
#include "store/store.h"

struct registry {
	struct store *st;               /* borrowed */
	const struct config *cfg;       /* borrowed */
};

/*
 * A change of a tag may be made to depend on what the tag points to (api.md, "PUT and DELETE by tag").
 * Both are header texts as etag_matches() takes them, or NULL.
 */
struct precondition {
	const char *if_match;
	const char *if_none_match;
};

#endif
