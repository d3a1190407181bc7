/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_manifest: a manifest's bytes, and what it names.
 *
 * A manifest with a corrupt link or without content is skipped: it has been reported already.
 */
#include <string.h>

#include "base/digestset.h"
#include "care/fsck_work.h"
#include "conf/rules.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "registry/reg_manifest.h"
#include "store/blob.h"
#include "store/revision.h"
#include "store/store_path.h"

struct look {
	const struct name *n;
	const struct digest *d;
	struct digest content;
	struct str where;               /* NAME@DIGEST */
	struct digest of_size;          /* content of a wrong size */
	int size_good;                  /* fsck_content_good() of it; -1 unknown */
};

/* The content of a reference, by a link of this repository: 1, 0 absent, -1 with *e. */
static int find(struct fsck_work *w, const struct look *l, const struct descriptor *ref, struct digest *content,
		uint64_t *size, struct err *e)
{
	cleanup_fd int fd = -1;
	int found = 0;

	*size = 0;
	if (ref->kind != MREF_CHILD_MANIFEST && (found = blob_read_link(w->r->st, l->n, &ref->digest, content, e)) == 1)
		found = blob_open(w->r->st, content, &fd, size, e);
	if (found == 0 && (ref->kind == MREF_CHILD_MANIFEST || ref->kind == MREF_CHILD_BLOB)) {
		found = revision_read(w->r->st, l->n, &ref->digest, content, e);
		if (found == 1)
			found = blob_open(w->r->st, content, &fd, size, e);
	}
	return found;
}

static const char *kind_text(const struct descriptor *ref)
{
	return ref->kind == MREF_CONFIG ? "config" : ref->kind == MREF_LAYER ? "layer" : "child";
}

/* The content or the size in the manifest is wrong: its bytes, read in the first look, tell which. */
static int wrong_size(struct fsck_work *w, struct look *l, const struct descriptor *ref, const struct digest *content,
		      uint64_t size, bool sure, struct err *e)
{
	struct fsck_fault f = { .kind = FSCK_SIZE, .where = l->where.buf, .arg = &l->of_size };
	bool read = l->size_good >= 0 && digest_eq(&l->of_size, content);

	if (!sure) {
		l->of_size = *content;
		l->size_good = fsck_content_good(w, content, e);
		return l->size_good < 0 ? -1 : 1;
	}
	f.moves = read && !l->size_good;
	if (f.moves)
		f.repair = fsck_repair_content;
	else if (!read)
		f.todo = "run berth fsck --data";
	fsck_report(w, &f, "the %s %s has %llu bytes, the manifest says %llu%s", kind_text(ref),
		    ref->digest.text, (unsigned long long)size, (unsigned long long)ref->size,
		    !read ? "" : l->size_good ? "; the bytes are right" : "; the bytes are corrupt, too");
	return 1;
}

static int check_ref(struct fsck_work *w, struct look *l, const struct descriptor *ref, bool sure, struct err *e)
{
	struct fsck_fault f = { .kind = FSCK_REFERENCE, .where = l->where.buf };
	struct digest content;
	uint64_t size;
	int found = find(w, l, ref, &content, &size, e);

	if (found < 0)
		return -1;
	if (found == 0) {
		if (reg_manifest_may_lack(rules_sparse(w->r->cfg, l->n), ref))
			return 0;
		if (sure)
			fsck_report(w, &f, "its %s %s is not in the repository", kind_text(ref),
				    ref->digest.text);
		return 1;
	}
	return ref->size != DESCRIPTOR_NO_SIZE && ref->size != size ? wrong_size(w, l, ref, &content, size, sure, e) : 0;
}

static int check_refs(struct fsck_work *w, struct look *l, const struct manifest *m, bool sure, struct err *e)
{
	cleanup_digestset struct digestset seen = DIGESTSET_INIT;
	int wrong = 0;
	size_t i;

	for (i = 0; i < m->nrefs; i++) {
		int rc;

		if (digestset_has(&seen, &m->refs[i].digest))
			continue;       /* a manifest may name a layer twice */
		digestset_add(&seen, &m->refs[i].digest);
		rc = check_ref(w, l, &m->refs[i], sure, e);
		if (rc < 0)
			return -1;
		wrong |= rc;
	}
	return wrong;
}

static int check_manifest(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct look *l = arg;
	struct fsck_fault f = { .kind = FSCK_MANIFEST_TOO_LARGE, .where = l->where.buf, .arg = &l->content };
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT;
	uint64_t size;
	struct digest is;
	int found = revision_read(w->r->st, l->n, l->d, &l->content, e);

	if (found == 1)
		found = fsck_manifest_bytes(w, &l->content, &bytes, &size, e);
	if (found <= 0)
		return found;
	if (found == 2) {
		if (sure)
			fsck_report(w, &f, "has %llu bytes, more than manifests.max_size", (unsigned long long)size);
		return 1;
	}
	digest_of(&is, l->content.alg, bytes.buf, bytes.len);
	if (!digest_eq(&is, &l->content)) {
		f.kind = FSCK_BLOB_BYTES;
		f.repair = fsck_repair_content;
		f.moves = true;
		if (sure && !w->o->data)        /* with `data` it has been reported */
			fsck_report(w, &f, "its bytes do not match its digest");
		return 1;
	}
	if (!manifest_scan_descriptors(&m, bytes.buf, bytes.len)) {
		f.kind = FSCK_MANIFEST_UNREADABLE;
		if (sure)
			fsck_report(w, &f, "is not a readable manifest");
		return 1;
	}
	return check_refs(w, l, &m, sure, e);
}

int fsck_manifest(struct fsck_work *w, const struct name *n, const struct digest *d, struct err *e)
{
	struct look l = { .n = n, .d = d, .where = STR_INIT, .size_good = -1 };
	int rc;

	str_addf(&l.where, "%s@%s", n->s, d->text);
	rc = fsck_twice(w, n, check_manifest, &l, e);
	str_release(&l.where);
	w->out->manifests++;
	return rc;
}
