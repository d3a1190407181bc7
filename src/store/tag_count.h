/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_TAG_COUNT_H
#define BERTH_STORE_TAG_COUNT_H

/* tag_count: how many tags a repository has, for a limit. */

#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

/*
 * tag_count - whether a repository has more than `enough` tags: *count is above it then, and perhaps below their number; else it is their
 *             number, or any one from that up to `enough`
 * As a rule it costs two calls: where the file system counts directories, their number is one that the tags do not exceed. Without that, or
 * above `enough`, the directory is read, and only then, if what crashes and other registries leave may be among the names, the
 * links, until there are more than enough. The caller holds the repository's lock. Returns 0, or -1 with *e.
 */
int tag_count(struct store *st, const struct name *n, uint64_t enough, uint64_t *count, struct err *e);

/* tag_count_all - the number of tags: it looks at each link. 0, or -1 with *e */
int tag_count_all(struct store *st, const struct name *n, uint64_t *count, struct err *e);

#endif
