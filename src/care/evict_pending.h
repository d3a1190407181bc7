/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_PENDING_H
#define BERTH_CARE_EVICT_PENDING_H

/*
 * evict_pending: content whose last links an eviction is about to remove, in berth/mirror/_pending, a digest a line. A reader of links does not find
 * it any more if that eviction ends before it has removed the bytes; so the next one begins with what stands there. It may say too much.
 */

#include "base/digestlist.h"
#include "base/err.h"
#include "store/store.h"

#define EVICT_PENDING_MAX (UINT64_C(64) << 20)   /* bytes of the file: 900,000 digests. What it has no room for is left to a collection */

/*
 * evict_pending_read  - add what stands there; 0, or -1 with *e. A line that is no digest is left out
 * evict_pending_write - replace it, durably; 0, or -1 with *e. On a full disk, which the eviction makes room on, nothing is written
 * evict_pending_clear - all of it is done. Not flushed
 */
int evict_pending_read(struct store *st, struct digest_list *out, struct err *e);
int evict_pending_write(struct store *st, const struct digest_list *list, struct err *e);
void evict_pending_clear(struct store *st);

#endif
