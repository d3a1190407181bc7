/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_QUOTA_RULES_H
#define BERTH_STORE_QUOTA_RULES_H

/*
 * quota_rules: which repositories are counted together, as all processes on the store see it (doc/STORE.md, "Quotas").
 *
 * A count is exact only if whoever makes or removes a link counts by the same rules: also a command that does not know the masters'
 * configuration, and a worker that finishes a request while a new configuration is in force. So the rules lie in the store, with a
 * number, their version. They change only while nobody makes or removes a link; the number of those in force is in memory that all
 * processes of a machine map, so that a process whose rules they are looks at it without a system call.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

struct quota_group {
	char text[NAME_MAX_LEN + 1];    /* the leading part of the name; "": all repositories */
	uint64_t limit;                 /* bytes; 0: none */
	uint64_t version;               /* of the rules, but for their limits */
};

/*
 * quota_group - the group in which a repository is counted: 1, 0 it is in none, -1 with *e
 * It holds as long as the caller holds lock_collector; without that lock it may be out of date at once.
 */
int quota_group(struct store *st, const struct name *n, struct quota_group *out, struct err *e);

/*
 * quota_group_own - the group by this process's configuration, whatever rules are in force: whether there is one
 * To count in memory; it has no version, and no table.
 */
bool quota_group_own(struct store *st, const struct name *n, struct quota_group *out);

/* quota_is_in - whether the repository is counted in this group, by the rules that the group was found with */
bool quota_is_in(struct store *st, const struct name *n, const struct quota_group *g);

/*
 * quota_rules_set - a master has read its configuration: its rules are in force from now on
 * Where more than limits change, all tables are removed. Takes lock_collector_alone for that.
 */
int quota_rules_set(struct store *st, struct err *e);

#endif
