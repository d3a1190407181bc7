/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digestlist: an array that grows.
 *
 * Owns the array until it is released.
 */
#include "base/digestlist.h"

#include <stdlib.h>

#include "base/mem.h"

void digest_list_add(struct digest_list *l, const struct digest *d)
{
	const struct digest one = *d;

	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->count++] = one;
}

void digest_list_release(struct digest_list *l)
{
	free(l->v);
	*l = (struct digest_list)DIGEST_LIST_INIT;
}
