/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_manifest: manifest operations.
 *
 * Owns no state. Invariant: when the revision link of a manifest appears, all content that the manifest names is present
 * and durable; a tag appears after its manifest and is removed before it. Knows nothing of HTTP or users.
 */
#include "registry/reg_manifest.h"

#include <string.h>

#include "base/etag.h"
#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "registry/reg_index.h"
#include "registry/reg_stored.h"
#include "store/blob.h"
#include "store/collector.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/revision.h"
#include "store/tag.h"

static int unknown(const struct ref *ref, struct err *e)
{
	return err_set(e, ERR_MANIFEST_UNKNOWN, "%s", ref_text(ref));
}

/* The references that were found, for the collector: each digest, and the content's digest if the link holds another one. */
struct found {
	struct digest *v;
	size_t count;
};

/* Look for a reference and refresh its mtime, so that the collector keeps it: 1 found, 0 missing, -1 with *e. */
static int reference_found(struct registry *r, const struct name *n, const struct descriptor *d, struct found *f, struct err *e)
{
	struct digest content;
	uint64_t size;
	int found;

	if (d->kind == MREF_CHILD_MANIFEST)
		found = revision_pin(r->st, n, &d->digest, &content, e);
	else
		found = blob_find(r->st, n, &d->digest, true, &content, &size, e);
	if (found == 1) {
		f->v[f->count++] = d->digest;
		if (!digest_eq(&content, &d->digest))
			f->v[f->count++] = content;
	}
	return found;
}

bool reg_manifest_may_lack(const struct registry *r, const struct descriptor *d)
{
	bool child = d->kind == MREF_CHILD_MANIFEST || d->kind == MREF_CHILD_BLOB;

	return d->optional || r->cfg->sparse == SPARSE_ALL || (child && r->cfg->sparse == SPARSE_INDEX);
}

/* All references exist and are durable. A link that was found may be another worker's, which has not flushed it yet. */
static int check_references(struct registry *r, const struct name *n, const struct manifest *m, struct found *f, struct err *e)
{
	bool layers[DIGEST_ALG_COUNT] = { false }, revisions[DIGEST_ALG_COUNT] = { false };
	size_t i, missing = 0;
	int alg;

	for (i = 0; i < m->nrefs; i++) {
		const struct descriptor *d = &m->refs[i];
		int found = reference_found(r, n, d, f, e);

		if (found < 0)
			return -1;
		if (found)
			*(d->kind == MREF_CHILD_MANIFEST ? &revisions[d->digest.alg] : &layers[d->digest.alg]) = true;
		else if (reg_manifest_may_lack(r, d))
			continue;
		else if (missing++ == 0)
			err_set(e, ERR_MANIFEST_BLOB_UNKNOWN, "%s", d->digest.text);
		else
			err_more(e, "%s", d->digest.text);
	}
	if (missing)
		return -1;
	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		if (layers[alg] && blob_flush_layers(r->st, n, (enum digest_alg)alg, e) < 0)
			return -1;
		if (revisions[alg] && revision_flush(r->st, n, (enum digest_alg)alg, e) < 0)
			return -1;
	}
	return 0;
}

/*
 * The manifest and all references that exist are noted for the collector before a link makes them reachable. The
 * collector deletes nothing while the caller holds its lock. Missing references are not noted: a client may name any
 * number of them.
 */
static int check_and_note(struct registry *r, const struct name *n, const struct manifest *m, const struct digest *own,
			  struct err *e)
{
	cleanup_free struct digest *all = xreallocarray(NULL, 2 * m->nrefs + 1, sizeof(*all));
	struct found f = { .v = all };

	if (check_references(r, n, m, &f, e) < 0)
		return -1;
	all[f.count++] = *own;
	return collector_note(r->st, n, all, f.count, e);
}

static int failed(const char *header, struct err *e)
{
	err_set(e, ERR_DENIED, "the tag does not meet the precondition %s", header);
	return err_status(e, 412);
}

/* RFC 9110, 13.1, against what the tag points to; the caller holds the repository's lock. */
static int check_precondition(struct registry *r, const struct name *n, const struct ref *ref,
			      const struct precondition *pre, struct err *e)
{
	struct digest now;
	int found;

	if (ref->kind != REF_TAG || (!pre->if_match && !pre->if_none_match))
		return 0;
	found = tag_read(r->st, n, &ref->tag, &now, e);
	if (found < 0)
		return -1;
	if (pre->if_match && !(found && etag_matches(pre->if_match, &now)))
		return failed("If-Match", e);
	if (pre->if_none_match && found && etag_matches(pre->if_none_match, &now))
		return failed("If-None-Match", e);
	return 0;
}

/* The index lists the new target before the tag is set, and drops the old one afterwards. */
static int set_tag(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct err *e)
{
	struct digest old;
	int found = tag_read(r->st, n, t, &old, e);

	if (found < 0 || index_add_tag(r->st, n, t, d, !found, e) < 0 || tag_set(r->st, n, t, d, e) < 0)
		return -1;
	if (found && !digest_eq(&old, d))
		index_remove_tag(r->st, n, t, &old, false);
	return 0;
}

static int set_tags(struct registry *r, const struct name *n, const struct manifest_push *p, struct err *e)
{
	size_t i;

	if (p->ref.kind == REF_TAG)
		return set_tag(r, n, &p->ref.tag, &p->digest, e);
	for (i = 0; i < p->ntags; i++)
		if (set_tag(r, n, &p->tags[i], &p->digest, e) < 0)
			return -1;
	return 0;
}

/* Add the manifest to the referrers of its subject. */
static int index_subject(struct registry *r, const struct name *n, const struct manifest_push *p, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct digest subject;

	if (!manifest_scan_referrer(p->bytes->buf, p->bytes->len, &p->digest, &subject, &descriptor))
		return 0;
	return index_add_referrer(r->st, n, &subject, &p->digest, &descriptor, true, e);
}

int reg_manifest_put(struct registry *r, const struct name *n, struct manifest_push *p, struct err *e)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_collector struct store *held = NULL;
	cleanup_fd int lock = -1;
	bool by_digest = p->ref.kind == REF_DIGEST;

	digest_of(&p->digest, by_digest ? p->ref.digest.alg : DIGEST_SHA256, p->bytes->buf, p->bytes->len);
	if (by_digest && !digest_eq(&p->digest, &p->ref.digest))
		return err_set(e, ERR_DIGEST_INVALID, "%s", p->ref.digest.text);
	if (manifest_parse(&m, p->bytes->buf, p->bytes->len, p->content_type, e) < 0)
		return -1;
	p->has_subject = m.has_subject;
	p->subject = m.subject;
	if (lock_repository(r->st, n, &lock, e) < 0 || check_precondition(r, n, &p->ref, &p->pre, e) < 0 ||
	    reg_index_ensure(r, n, e) < 0 || lock_collector(r->st, e) < 0)
		return -1;
	held = r->st;
	if (check_and_note(r, n, &m, &p->digest, e) < 0 || (m.has_subject && index_subject(r, n, p, e) < 0) ||
	    blob_write(r->st, &p->digest, p->bytes->buf, p->bytes->len, e) < 0 ||
	    revision_set(r->st, n, &p->digest, e) < 0)
		return -1;
	return set_tags(r, n, p, e);
}

/* Remove one tag and add its path in the trash to *trashed: 1, 0 absent, -1 with *e. */
static int remove_tag(struct registry *r, const struct name *n, const struct tag *t, struct names *trashed, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int found = tag_remove(r->st, n, t, &path, e);

	if (found == 1)
		names_add(trashed, path.buf, path.len);
	return found;
}

/* Remove every tag that points to d, durably. The index may list other tags as well: each link is read. */
static int remove_tags_of(struct registry *r, const struct name *n, const struct digest *d, struct names *removed,
			  struct names *trashed, struct err *e)
{
	cleanup_names struct names tags = NAMES_INIT;
	size_t i;

	if (reg_index_ensure(r, n, e) < 0 || index_tags_of(r->st, n, d, &tags, e) < 0)
		return -1;
	for (i = 0; i < tags.count; i++) {
		struct digest now;
		struct tag t;
		int found;

		if (tag_parse(&t, tags.v[i], strlen(tags.v[i])) < 0)
			continue;
		found = tag_read(r->st, n, &t, &now, e);
		if (found == 1 && digest_eq(&now, d)) {
			found = remove_tag(r, n, &t, trashed, e);
			names_add(removed, t.s, t.len);
		}
		if (found < 0)
			return -1;
	}
	/*
	 * Flush before the manifest is removed: a crash must not leave a tag that points to nothing. Flush also if no tag was
	 * found: another process may have removed one and died, or failed, before its flush.
	 */
	return tag_flush(r->st, n, e);
}

/* After the links are removed: remove the entries of the manifest and its tags from the index. */
static void remove_entries(struct registry *r, const struct name *n, const struct digest *d,
			   const struct names *removed, const struct digest *subject)
{
	struct tag t;
	size_t i;

	for (i = 0; i < removed->count; i++)
		if (tag_parse(&t, removed->v[i], strlen(removed->v[i])) == 0)
			index_remove_tag(r->st, n, &t, d, true);
	if (subject)
		index_remove_referrer(r->st, n, subject, d);
}

/* Delete a manifest, its tags and their entries of the index. The caller holds the repository's lock. */
static int delete_revision(struct registry *r, const struct name *n, const struct ref *ref, struct names *trashed,
			   struct err *e)
{
	cleanup_names struct names removed = NAMES_INIT;
	cleanup_str struct str descriptor = STR_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	struct digest content, subject;
	size_t read = 0;
	bool refers;
	int found = revision_read(r->st, n, &ref->digest, &content, e);

	if (found == 1 && remove_tags_of(r, n, &ref->digest, &removed, trashed, e) < 0)
		return -1;
	/* A manifest that cannot be read is deleted nevertheless: readers of the index skip an entry without a manifest. */
	refers = found == 1 && reg_stored_referrer(r, n, &ref->digest, &subject, &descriptor, &read, &ignored) == 1;
	if (found == 1)
		found = revision_remove(r->st, n, &ref->digest, e);
	if (found == 1)
		remove_entries(r, n, &ref->digest, &removed, refers ? &subject : NULL);
	return found == 0 ? unknown(ref, e) : found < 0 ? -1 : 0;
}

static int delete_tag(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre,
		      struct names *trashed, struct err *e)
{
	struct digest now;
	int found = tag_read(r->st, n, &ref->tag, &now, e);

	if (found < 0 || check_precondition(r, n, ref, pre, e) < 0)
		return -1;
	if (found == 1)
		found = remove_tag(r, n, &ref->tag, trashed, e);
	if (found <= 0)
		return found == 0 ? unknown(ref, e) : -1;
	if (tag_flush(r->st, n, e) < 0)
		return -1;
	index_remove_tag(r->st, n, &ref->tag, &now, true);
	return 0;
}

int reg_manifest_delete(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre,
			struct err *e)
{
	cleanup_names struct names trashed = NAMES_INIT;
	cleanup_fd int lock = -1;
	int rc;

	if (lock_repository(r->st, n, &lock, e) < 0)
		return -1;
	rc = ref->kind == REF_TAG ? delete_tag(r, n, ref, pre, &trashed, e) :
				    delete_revision(r, n, ref, &trashed, e);
	os_cleanup_fd(&lock);           /* emptying the trash needs no lock */
	if (rc == 0)                    /* after an error a removal may not be durable: leave the trash to the collector */
		store_purge_all(r->st, &trashed);
	return rc;
}
