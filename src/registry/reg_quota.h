/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_QUOTA_H
#define BERTH_REGISTRY_REG_QUOTA_H

/* reg_quota: the quotas of the configuration, as the store counts them (doc/RULES.md, "Quotas"). */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/*
 * reg_quota_fits - whether content of this size may be added to a repository, before anything is done
 * d  its digest, or NULL if it is not known: what the group has already needs no room
 * DENIED 403, with a message for the user.
 */
int reg_quota_fits(struct registry *r, const struct name *n, const struct digest *d, uint64_t size, struct err *e);

/* reg_quota_room - the same for several contents that are in the store, together */
int reg_quota_room(struct registry *r, const struct name *n, const struct digest *v, size_t count, struct err *e);

/* reg_quota_used - what the group of a repository uses, in bytes: 1, 0 it has no quota, -1 with *e */
int reg_quota_used(struct registry *r, const struct name *n, uint64_t *used, struct err *e);

/*
 * reg_quota_tell - say in the log and in the journal that a link that was just made in this repository brought its group to
 *                  90 % of the quota; nothing otherwise. Hold no lock
 */
void reg_quota_tell(struct registry *r, const struct name *n);

#endif
