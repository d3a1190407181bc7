/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_DENIED_H
#define BERTH_REGISTRY_DENIED_H

/*
 * denied: what of the store the workers' user cannot use, as requests meet it: files of another owner in a restored backup, or a
 * repository on another file system. All workers of a master share what was met last.
 */

#include "base/err.h"
#include "registry/registry.h"

/*
 * denied_met - a request failed: if it was for such a reason, remember the path, and log `denied` with it, at most once a minute
 * Does nothing for any other failure.
 */
void denied_met(struct registry *r, const struct err *e);

/*
 * denied_last  - EACCES or EXDEV if a request has met something like that, which has not been found corrected; else 0
 * denied_check - look at that path again, and forget it if it can be used now; the same result
 */
int denied_last(void);
int denied_check(struct registry *r);

#endif
