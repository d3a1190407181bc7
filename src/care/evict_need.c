/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_need: the manifests of an image, and what they name.
 *
 * Owns nothing.
 */
#include "care/evict_need.h"

#include <string.h>

#include "base/digestlist.h"
#include "store/mirror.h"
#include "store/revision.h"
#include "store/tag.h"

/* What is named and is a manifest here is read in its turn. */
static int add_named(struct gc_work *w, const struct name *n, const struct digest *d, struct digestset *needed, struct digest_list *next,
		     struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	int readable = gc_references(w, d, &refs, e);

	for (size_t i = 0; readable == 1 && i < refs.count; i++) {
		int linked = digestset_has(needed, &refs.v[i]) ? 0 : revision_linked(w->r->st, n, &refs.v[i], e);

		if (linked < 0)
			return -1;
		if (linked)
			digest_list_add(next, &refs.v[i]);
		else
			digestset_add(needed, &refs.v[i]);
	}
	return readable < 0 ? -1 : 0;
}

int evict_need(struct gc_work *w, const struct name *n, const struct digest *d, struct digestset *needed, struct err *e)
{
	struct digest_list next = DIGEST_LIST_INIT;
	int rc = 0;

	digest_list_add(&next, d);
	for (size_t i = 0; rc == 0 && i < next.count; i++) {
		struct digest one = next.v[i];

		if (digestset_has(needed, &one))
			continue;
		digestset_add(needed, &one);
		rc = add_named(w, n, &one, needed, &next, e);
	}
	digest_list_release(&next);
	return rc;
}

int evict_pinned(struct gc_work *w, const struct name *n, struct digestset *needed, struct err *e)
{
	cleanup_names struct names tags = NAMES_INIT;
	struct digest d;
	struct tag t;

	if (mirror_pins(w->r->st, n, &tags, e) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++) {
		int found = tag_parse(&t, tags.v[i], strlen(tags.v[i])) < 0 ? 0 : tag_read(w->r->st, n, &t, &d, e);

		if (found < 0 || (found && evict_need(w, n, &d, needed, e) < 0))
			return -1;
	}
	return 0;
}
