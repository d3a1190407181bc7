/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REGISTRY_H
#define BERTH_REGISTRY_REGISTRY_H

/*
 * registry: the store and the configuration on which the reg_* modules carry out the operations of the Distribution
 * Specification. They know neither users nor protocols: callers check access rights.
 */

#include <stdbool.h>
#include <sys/types.h>
#include "base/event.h"
#include "conf/config.h"
#include "store/store.h"

struct registry {
	struct store *st;               /* borrowed */
	const struct config *cfg;       /* borrowed */
	pid_t master;                   /* the parent, which collects when it is asked by SIGUSR1; 0: there is none */
	bool force;                     /* an operator's --force: immutable tags, and readonly of a rule, prevent nothing */
	const struct event_by *by;      /* who asks for the next operation, for the journal; borrowed; NULL: unknown */
};

/* reg_quota_by - how the store finds the group of a repository; its argument is the configuration */
extern const struct quota_by reg_quota_by;

/* registry_store - how the store of a configuration is opened, with every flush that its promise needs; the caller adds what it needs beside that */
static inline struct store_options registry_store(const struct config *cfg)
{
	return (struct store_options){
		.root = cfg->root, .flush = cfg->fsync != FSYNC_OFF,
		.journal = { .on = config_journal_on(cfg), .pulls = config_journal_pulls(cfg), .keep = cfg->journal.keep, .max = cfg->journal.max },
		.quota = &reg_quota_by, .quota_arg = cfg,
	};
}

/*
 * The condition under which a tag is changed (RFC 9110, 13.1; doc/API.md, "Conditional PUT and DELETE").
 * Each is a header's text for etag_matches(), or NULL.
 */
struct precondition {
	const char *if_match;
	const char *if_none_match;
};

#endif
