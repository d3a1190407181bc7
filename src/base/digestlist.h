/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_DIGESTLIST_H
#define BERTH_BASE_DIGESTLIST_H

/* digestlist: digests in the order in which they were added. */

#include <stddef.h>
#include "base/digest.h"

struct digest_list {
	struct digest *v;               /* owned */
	size_t count, cap;
};

#define DIGEST_LIST_INIT { 0 }

/* digest_list_add - add one more; d may be in the list */
void digest_list_add(struct digest_list *l, const struct digest *d);
void digest_list_release(struct digest_list *l);

#endif
