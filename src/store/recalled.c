/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recalled: a table of small contents.
 *
 * Owns copies of the bytes. Invariant: they have the digest that they are found by.
 */
#include "store/recalled.h"

#include <string.h>

static size_t place_of(const struct digest *d)
{
	unsigned char first[2];

	digest_bytes(d, first, sizeof(first));
	return ((size_t)first[0] << 8 | first[1]) % RECALLED_MAX;
}

void recalled_put(struct recalled *r, const struct digest *d, const char *bytes, size_t len)
{
	size_t at = place_of(d);
	struct digest is;

	if (!len || len > RECALLED_BYTES)
		return;
	digest_of(&is, d->alg, bytes, len);
	if (!digest_eq(&is, d))
		return;
	r->v[at].d = *d;
	str_reset(&r->v[at].bytes);
	str_add(&r->v[at].bytes, bytes, len);
}

const struct str *recalled_get(const struct recalled *r, const struct digest *d)
{
	size_t at = place_of(d);

	return r->v[at].bytes.len && digest_eq(&r->v[at].d, d) ? &r->v[at].bytes : NULL;
}

void recalled_begin(struct recalled *r)
{
	for (size_t i = 0; i < RECALLED_MAX; i++)
		r->v[i].bytes = (struct str)STR_INIT;
}

void recalled_forget(struct recalled *r)
{
	for (size_t i = 0; i < RECALLED_MAX; i++)
		str_release(&r->v[i].bytes);
}
