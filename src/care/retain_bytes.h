/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_BYTES_H
#define BERTH_CARE_RETAIN_BYTES_H

/* retain_bytes: how much tags hold that no other tag needs. */

#include "base/err.h"
#include "care/retain_read.h"

/*
 * retain_bytes - the bytes of what the tags that go name, at any depth, and no tag that stays does
 * Of one repository: another one may have the same content. What cannot be read counts as nothing. 0, or -1 with *e.
 */
int retain_bytes(const struct retain_reading *rd, const struct retain_set *s, uint64_t *bytes, struct err *e);

#endif
