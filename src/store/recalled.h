/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_RECALLED_H
#define BERTH_STORE_RECALLED_H

/* recalled: small content in memory, by its digest. It knows nothing of who may have it, or whether it is still stored. */

#include <stddef.h>
#include "base/digest.h"
#include "base/str.h"

#define RECALLED_MAX 128                /* contents, */
#define RECALLED_BYTES (32u * 1024)     /* and how long one may be */

struct recalled {
	struct {
		struct digest d;
		struct str bytes;       /* empty: the place is free */
	} v[RECALLED_MAX];
};

/* recalled_put - remember these bytes, if they have this digest and are not too many; they may take another content's place */
void recalled_put(struct recalled *r, const struct digest *d, const char *bytes, size_t len);

/* recalled_get - the bytes, borrowed until the next change; NULL: they are not remembered */
const struct str *recalled_get(const struct recalled *r, const struct digest *d);

/* recalled_begin - of memory that is all zeros; recalled_forget - all, and it can go on */
void recalled_begin(struct recalled *r);
void recalled_forget(struct recalled *r);

#endif
