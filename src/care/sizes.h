/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_SIZES_H
#define BERTH_CARE_SIZES_H

/* sizes: what each repository has and shares, written down at the end of a collection for registry/reg_sizes.h. */

#include "base/err.h"
#include "registry/registry.h"

/* sizes_write - measure all repositories, and write the file; 0, or -1 with *e. Needs memory as du_count() does. */
int sizes_write(struct registry *r, struct err *e);

#endif
