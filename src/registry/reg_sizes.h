/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_SIZES_H
#define BERTH_REGISTRY_REG_SIZES_H

/*
 * reg_sizes: what repositories had and shared when a collection ended (doc/STORE.md, "Indexes and epochs").
 *
 * berth/index/_sizes: "berth-sizes 1 SECONDS\n", then "NAME OWN SHARED\n" for each repository in byte order, then "end\n": without that line
 * it counts for nothing.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/dated.h"
#include "store/store.h"

/* The text of the file: begin, then each repository in byte order, then dated_end(). */
void reg_sizes_begin(struct str *out, int64_t when);
void reg_sizes_add(struct str *out, const struct name *n, uint64_t own, uint64_t shared);

/* reg_sizes_read - read the file: 1, 0 there is none, -1 with *e; reg_sizes_find - the bytes of a repository: whether it was there then */
int reg_sizes_read(struct store *st, struct dated *s, struct err *e);
bool reg_sizes_find(const struct dated *s, const struct name *n, uint64_t *own, uint64_t *shared);

#endif
