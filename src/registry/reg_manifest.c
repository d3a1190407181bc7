/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_manifest: pushing manifests.
 *
 * Owns no state. Invariant: when the revision link of a manifest appears, all content that the manifest names is present
 * and durable; a tag appears after its manifest. Knows nothing of HTTP or users.
 */
#include "registry/reg_manifest.h"

#include <inttypes.h>
#include <string.h>

#include "base/event.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/rules.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "registry/reg_copied.h"
#include "registry/reg_index.h"
#include "registry/reg_precondition.h"
#include "registry/reg_retag.h"
#include "registry/reg_quota.h"
#include "registry/reg_rules.h"
#include "registry/reg_summary.h"
#include "store/blob.h"
#include "store/collector.h"
#include "store/durable.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/mirror.h"
#include "store/revision.h"
#include "store/tag.h"

/* The references that were found, for the collector: each digest, and the content's digest if the link holds another one. */
struct found {
	struct digest *v;
	size_t count;
	struct digest wrong;            /* of `wrongs` references, the first whose content has another size than the manifest gives */
	uint64_t size, given;
	size_t wrongs;
};

static void compare_size(struct found *f, const struct digest *d, uint64_t size, uint64_t given)
{
	if (size == given || f->wrongs++)
		return;
	f->wrong = *d;
	f->size = size;
	f->given = given;
}

static bool is_mirror(const struct registry *r, const struct name *n)
{
	return upstream_of(r->cfg, n, NULL) != NULL;
}

/* manifests.sizes: a client that trusts a wrong size cannot pull the image. */
static int check_sizes(const struct registry *r, const struct name *n, const struct found *f, struct err *e)
{
	if (!f->wrongs)
		return 0;
	if (r->cfg->sizes == SIZES_CHECK && !is_mirror(r, n))
		return err_set(e, ERR_MANIFEST_INVALID, "%s has %" PRIu64 " bytes, the manifest says %" PRIu64, f->wrong.text, f->size,
			       f->given);
	log_say(LOG_WARN, "wrong_size", "a manifest pushed to %s says that %s has %" PRIu64 " bytes, but it has %" PRIu64
		" (%zu such descriptors)", n->s, f->wrong.text, f->given, f->size, f->wrongs);
	return 0;
}

/* Look for a reference and refresh its mtime, so that the collector keeps it: 1 found, 0 missing, -1 with *e. */
static int reference_found(struct registry *r, const struct name *n, const struct descriptor *d, struct found *f, struct err *e)
{
	struct digest content;
	uint64_t size;
	int found;

	if (d->kind == MREF_CHILD_MANIFEST)
		found = revision_pin(r->st, n, &d->digest, &content, &size, e);
	else
		found = blob_find(r->st, n, &d->digest, true, &content, &size, e);
	if (found == 1) {
		compare_size(f, &d->digest, size, d->size);
		f->v[f->count++] = d->digest;
		if (!digest_eq(&content, &d->digest))
			f->v[f->count++] = content;
	}
	return found;
}

bool reg_manifest_may_lack(int sparse, const struct descriptor *d)
{
	bool child = d->kind == MREF_CHILD_MANIFEST || d->kind == MREF_CHILD_BLOB;

	return d->optional || sparse == SPARSE_ALL || (child && sparse == SPARSE_INDEX);
}

int reg_manifest_flush_links(struct registry *r, const struct name *n, const bool layers[DIGEST_ALG_COUNT],
			     const bool revisions[DIGEST_ALG_COUNT], struct err *e)
{
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		if (layers[alg] && blob_flush_layers(r->st, n, (enum digest_alg)alg, e) < 0)
			return -1;
		if (revisions[alg] && revision_flush(r->st, n, (enum digest_alg)alg, e) < 0)
			return -1;
	}
	return 0;
}

/* A subject need not be there. */
static int check_subject(struct registry *r, const struct name *n, const struct manifest *m, struct found *f, struct err *e)
{
	uint64_t size;
	int found = m->has_subject ? revision_size(r->st, n, &m->subject, &size, e) : 0;

	if (found == 1)
		compare_size(f, &m->subject, size, m->subject_size);
	return found < 0 ? -1 : 0;
}

/* All references exist and are durable. A link that was found may be another worker's, which has not flushed it yet. */
static int check_references(struct registry *r, const struct name *n, const struct manifest *m, struct found *f, struct err *e)
{
	bool layers[DIGEST_ALG_COUNT] = { false }, revisions[DIGEST_ALG_COUNT] = { false };
	size_t i, missing = 0;
	int sparse = rules_sparse(r->cfg, n);

	for (i = 0; i < m->nrefs; i++) {
		const struct descriptor *d = &m->refs[i];
		int found = reference_found(r, n, d, f, e);

		if (found < 0)
			return -1;
		if (found)
			*(d->kind == MREF_CHILD_MANIFEST ? &revisions[d->digest.alg] : &layers[d->digest.alg]) = true;
		else if (reg_manifest_may_lack(sparse, d))
			continue;
		else if (missing++ == 0)
			err_set(e, ERR_MANIFEST_BLOB_UNKNOWN, "%s", d->digest.text);
		else
			err_more(e, "%s", d->digest.text);
	}
	if (missing || check_subject(r, n, m, f, e) < 0 || check_sizes(r, n, f, e) < 0)
		return -1;
	return reg_manifest_flush_links(r, n, layers, revisions, e);
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

/*
 * In a mirror: from now on what the manifest names may be linked when it is asked for. Not what the upstream need not have (doc/CACHE.md, "Rights and
 * trust"): whoever pushed the manifest there may have made that digest up.
 */
static int name_references(struct registry *r, const struct name *n, const struct manifest *m, struct err *e)
{
	cleanup_free struct digest *blobs = NULL, *children = NULL;
	size_t nblobs = 0, nchildren = 0;

	if (!is_mirror(r, n))
		return 0;
	blobs = xreallocarray(NULL, m->nrefs + 1, sizeof(*blobs));
	children = xreallocarray(NULL, m->nrefs + 1, sizeof(*children));
	for (size_t i = 0; i < m->nrefs; i++) {
		if (m->refs[i].kind == MREF_CHILD_MANIFEST)
			children[nchildren++] = m->refs[i].digest;
		else if (!m->refs[i].optional)
			blobs[nblobs++] = m->refs[i].digest;
	}
	return mirror_name(r->st, n, blobs, nblobs, e) < 0 ? -1 : mirror_name_children(r->st, n, children, nchildren, e);
}

/* The tags that the push sets. */
static const struct tag *tags_of(const struct manifest_push *p, size_t *count)
{
	*count = p->ref.kind == REF_TAG ? 1 : p->ntags;
	return p->ref.kind == REF_TAG ? &p->ref.tag : p->tags;
}

/* What the journal says of one tag, or of a manifest without one. */
static int tell_push(struct registry *r, const struct name *n, const struct manifest_push *p, const struct manifest *m, const struct tag *t,
		     struct journal_entry *j, struct err *e)
{
	struct event ev = {
		.repository = n, .tag = t, .digest = &p->digest, .media_type = mediatype_text(m->type),
		.artifact_type = m->artifact_type, .has_size = true, .size = p->bytes->len, .by = r->by,
		.subject = m->has_subject ? &m->subject : NULL,
	};
	struct digest before;
	int rc = reg_retag_event(r, n, t, &p->digest, &ev, &before, e);

	journal_add(r->st, j, &ev);
	return rc;
}

static int write_push(struct registry *r, const struct name *n, const struct manifest_push *p, const struct manifest *m,
		      struct journal_entry *j, struct err *e)
{
	const struct tag *tags;
	size_t count, i;

	if (!journal_on(r->st) || is_mirror(r, n))
		return 0;
	tags = tags_of(p, &count);
	if (!count && tell_push(r, n, p, m, NULL, j, e) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (tell_push(r, n, p, m, &tags[i], j, e) < 0)
			return -1;
	return journal_begin(r->st, j, e);
}

static int set_tags(struct registry *r, const struct name *n, const struct manifest_push *p, struct err *e)
{
	struct reg_retag_of of = { .bytes = p->bytes, .checked = rules_sparse(r->cfg, n) != SPARSE_ALL && !is_mirror(r, n), .facts = FACTS_INIT };
	size_t count, i;
	const struct tag *tags = tags_of(p, &count);
	int rc = 0;

	for (i = 0; rc == 0 && i < count; i++)
		rc = reg_retag(r, n, &tags[i], &p->digest, &of, e);
	facts_release(&of.facts);
	return rc;
}

/* Add the manifest to the referrers of its subject: to their index, and, once its link is there, to their number. */
static int index_subject(struct registry *r, const struct name *n, const struct manifest_push *p, struct str *descriptor, struct summary_change *c,
			 struct err *e)
{
	struct digest subject;

	if (!manifest_scan_referrer(p->bytes->buf, p->bytes->len, &p->digest, &subject, descriptor))
		return 0;
	return reg_summary_add_referrer(r, n, &subject, &p->digest, descriptor, c, e);
}

/* What rules say of the tags. */
static int check_tags(struct registry *r, const struct name *n, const struct manifest_push *p, struct err *e)
{
	size_t count;
	const struct tag *tags = tags_of(p, &count);

	return reg_rules_push(r, n, tags, count, &p->digest, e);
}

int reg_manifest_done(struct registry *r, const struct name *n, struct store **held, int *lock, const struct journal_entry *j, struct err *e)
{
	/* Who sees the manifest now and builds on it is answered after a barrier of its own, which covers this push too. */
	lock_cleanup_collector(held);
	os_cleanup_fd(lock);
	if (durable_barrier(r->st) < 0)
		return err_sys(e, "cannot flush the store");
	journal_done(r->st, j);
	reg_quota_tell(r, n);
	return 0;
}

int reg_manifest_put(struct registry *r, const struct name *n, struct manifest_push *p, struct err *e)
{
	cleanup_summary_change struct summary_change c = SUMMARY_CHANGE_INIT;
	cleanup_str struct str descriptor = STR_INIT;
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;
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
	if (reg_quota_fits(r, n, &p->digest, p->bytes->len, e) < 0)
		return -1;
	if (lock_repository(r->st, n, &lock, e) < 0 || reg_precondition_check(r, n, &p->ref, &p->pre, e) < 0 || check_tags(r, n, p, e) < 0 ||
	    reg_index_ensure(r, n, e) < 0 || lock_collector(r->st, e) < 0)
		return -1;
	held = r->st;
	if (check_and_note(r, n, &m, &p->digest, e) < 0 || reg_copied_manifest(r, n, e) < 0 || name_references(r, n, &m, e) < 0 ||
	    (m.has_subject && index_subject(r, n, p, &descriptor, &c, e) < 0) ||
	    write_push(r, n, p, &m, &j, e) < 0 || blob_write(r->st, n, &p->digest, p->bytes->buf, p->bytes->len, e) < 0 ||
	    revision_set(r->st, n, &p->digest, e) < 0)
		return -1;
	reg_summary_referred(&c, &m.subject, &descriptor);
	if (set_tags(r, n, p, e) < 0)
		return -1;
	return reg_manifest_done(r, n, &held, &lock, &j, e);
}
