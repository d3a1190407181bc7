/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_bytes: adding up what tags hold.
 *
 * Owns nothing. Each manifest is read once, so the time is linear in what the repository names, as that of a collection.
 */
#include "care/retain_bytes.h"

#include "base/digestlist.h"
#include "base/digestset.h"
#include "registry/manifest_scan.h"
#include "registry/reg_stored.h"
#include "store/blob.h"
#include "store/revision.h"

struct adding {
	const struct retain_reading *rd;
	struct digestset known;         /* what is counted, or needed by a tag that stays */
	bool counts;
	uint64_t bytes;
	struct digest_list todo;        /* manifests that are still to be read */
};

/* Whether it was not known before. */
static bool add(struct adding *a, const struct digest *d)
{
	if (digestset_has(&a->known, d))
		return false;
	digestset_add(&a->known, d);
	if (a->counts)
		a->bytes += blob_size(a->rd->r->st, d);
	return true;
}

static void add_manifest(struct adding *a, const struct digest *d)
{
	if (add(a, d))
		digest_list_add(&a->todo, d);
}

static int read_manifest(struct adding *a, const struct digest *d, struct err *e)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT;
	struct digest content;
	int found;

	if (retain_pace(a->rd, e) < 0)
		return -1;
	found = revision_find(a->rd->r->st, a->rd->n, d, &content, e);
	if (found == 1)
		found = reg_stored_content(a->rd->r, &content, &bytes, e);
	if (found <= 0)
		return found;
	if (!manifest_scan_descriptors(&m, bytes.buf, bytes.len))
		return 0;
	for (size_t i = 0; i < m.nrefs; i++) {
		if (m.refs[i].kind == MREF_CHILD_MANIFEST)
			add_manifest(a, &m.refs[i].digest);
		else
			add(a, &m.refs[i].digest);
	}
	return 0;
}

static int add_tag(struct adding *a, const struct retain_tag *t, struct err *e)
{
	add_manifest(a, &t->digest);
	while (a->todo.count) {
		struct digest d = a->todo.v[--a->todo.count];

		if (read_manifest(a, &d, e) < 0)
			return -1;
	}
	return 0;
}

int retain_bytes(const struct retain_reading *rd, const struct retain_set *s, uint64_t *bytes, struct err *e)
{
	struct adding a = { .rd = rd };
	bool any = false;
	int rc = 0;

	*bytes = 0;
	for (size_t i = 0; i < s->count; i++)
		any |= !retain_stays(&s->tags[i]);
	/* Those that stay first. */
	for (int pass = 0; any && pass < 2; pass++) {
		a.counts = pass == 1;
		for (size_t i = 0; rc == 0 && i < s->count; i++)
			if (retain_stays(&s->tags[i]) != a.counts)
				rc = add_tag(&a, &s->tags[i], e);
	}
	digestset_release(&a.known);
	digest_list_release(&a.todo);
	*bytes = a.bytes;
	return rc;
}
