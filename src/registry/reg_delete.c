/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_delete: deleting manifests and tags.
 *
 * Owns no state. Invariant: a tag is removed, durably, before its manifest. Knows nothing of HTTP or users.
 */
#include "registry/reg_delete.h"

#include <string.h>

#include "base/event.h"
#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "registry/reg_index.h"
#include "registry/reg_mark.h"
#include "registry/reg_precondition.h"
#include "registry/reg_rules.h"
#include "registry/reg_stored.h"
#include "registry/reg_summary.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/revision.h"
#include "store/tag.h"

static int unknown(const struct ref *ref, struct err *e)
{
	return err_set(e, ERR_MANIFEST_UNKNOWN, "%s", ref_text(ref));
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

/* The tags that point to d. The index may list other tags as well: each link is read. */
static int find_tags_of(struct registry *r, const struct name *n, const struct digest *d, struct names *out, struct err *e)
{
	cleanup_names struct names tags = NAMES_INIT;
	size_t i;

	if (reg_index_ensure(r, n, e) < 0 || index_tags_of(r->st, n, d, SIZE_MAX, &tags, e) < 0)
		return -1;
	for (i = 0; i < tags.count; i++) {
		struct digest now;
		struct tag t;
		int found;

		if (tag_parse(&t, tags.v[i], strlen(tags.v[i])) < 0)
			continue;
		found = tag_read(r->st, n, &t, &now, e);
		if (found < 0)
			return -1;
		if (found == 1 && digest_eq(&now, d))
			names_add(out, t.s, t.len);
	}
	return 0;
}

/* Remove these tags, durably. */
static int remove_tags(struct registry *r, const struct name *n, const struct names *tags, struct names *trashed, struct err *e)
{
	cleanup_summary_change struct summary_change c = SUMMARY_CHANGE_INIT;
	cleanup_free struct tag *v = xcalloc(tags->count + 1, sizeof(*v));
	size_t i, count = 0;

	for (i = 0; i < tags->count; i++)
		count += tag_parse(&v[count], tags->v[i], strlen(tags->v[i])) == 0;
	if (count && reg_summary_will_untag(r, n, v, count, sizeof(*v), &c, e) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (remove_tag(r, n, &v[i], trashed, e) < 0)
			return -1;
	/*
	 * Flush before the manifest is removed: a crash must not leave a tag that points to nothing. Flush also if no tag was
	 * found: another process may have removed one and died, or failed, before its flush.
	 */
	if (tag_flush(r->st, n, e) < 0)
		return -1;
	reg_summary_untagged(&c, v, count, sizeof(*v));
	if (count)
		reg_summary_done(&c);
	return 0;
}

static void tell_removal(struct registry *r, const struct name *n, enum event_action action, const struct tag *t, const struct digest *d,
			 struct journal_entry *j)
{
	journal_add(r->st, j, &(struct event){ .action = action, .repository = n, .tag = t, .digest = d, .by = r->by });
}

static int write_delete(struct registry *r, const struct name *n, const struct digest *d, const struct names *tags, struct journal_entry *j,
			struct err *e)
{
	struct tag t;
	size_t i;

	for (i = 0; i < tags->count; i++)
		if (tag_parse(&t, tags->v[i], strlen(tags->v[i])) == 0)
			tell_removal(r, n, EVENT_UNTAG, &t, d, j);
	tell_removal(r, n, EVENT_DELETE, NULL, d, j);
	return journal_begin(r->st, j, e);
}

/* Remember the manifest under each of its tags, or without one. */
static int mark_all(struct registry *r, const struct name *n, const struct digest *d, const struct names *tags, struct err *e)
{
	struct tag t;
	size_t i;

	for (i = 0; i < tags->count; i++)
		if (tag_parse(&t, tags->v[i], strlen(tags->v[i])) == 0 && reg_mark(r, n, UNDO_DELETED, &t, d, e) < 0)
			return -1;
	if (!tags->count && reg_mark(r, n, UNDO_MANIFEST, NULL, d, e) < 0)
		return -1;
	return reg_mark_flush(r, n, e);
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
		reg_summary_unreferred(r, n, subject, d);
}

/* Delete a manifest, its tags and their entries of the index. The caller holds the repository's lock. */
static int delete_revision(struct registry *r, const struct name *n, const struct ref *ref, struct reg_rules_known *known,
			   struct names *trashed, struct err *e)
{
	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;
	cleanup_names struct names tags = NAMES_INIT;
	struct digest content, subject;
	int refers = 0;
	int found = revision_read(r->st, n, &ref->digest, &content, e);

	if (found == 1 && (reg_rules_remove(r, n, &ref->digest, known, e) < 0 || find_tags_of(r, n, &ref->digest, &tags, e) < 0 ||
			   mark_all(r, n, &ref->digest, &tags, e) < 0 || write_delete(r, n, &ref->digest, &tags, &j, e) < 0 ||
			   remove_tags(r, n, &tags, trashed, e) < 0))
		return -1;
	/* A manifest that cannot be read is deleted nevertheless: readers of the index skip an entry without a manifest. */
	if (found == 1)
		refers = reg_stored_subject(r, n, &ref->digest, &subject);
	if (reg_summary_will_unrefer(r, n, refers, &subject, e) < 0)
		return -1;
	if (found == 1)
		found = revision_remove(r->st, n, &ref->digest, e);
	if (found == 1) {
		remove_entries(r, n, &ref->digest, &tags, refers == 1 ? &subject : NULL);
		journal_done(r->st, &j);
	}
	return found == 0 ? unknown(ref, e) : found < 0 ? -1 : 0;
}

/* Remove tags that point to these manifests; *removed: how many were there. */
static int untag_quietly(struct registry *r, const struct name *n, const struct reg_tag_target *v, size_t count, size_t *removed,
			 struct names *trashed, struct err *e)
{
	cleanup_summary_change struct summary_change c = SUMMARY_CHANGE_INIT;
	size_t i;

	*removed = 0;
	if (reg_summary_will_untag(r, n, &v->tag, count, sizeof(*v), &c, e) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		int found = remove_tag(r, n, &v[i].tag, trashed, e);

		if (found < 0)
			return -1;
		*removed += (size_t)found;
	}
	if (tag_flush(r->st, n, e) < 0)
		return -1;
	for (i = 0; i < count; i++)
		index_remove_tag(r->st, n, &v[i].tag, &v[i].digest, true);
	reg_summary_untagged(&c, &v->tag, count, sizeof(*v));
	reg_summary_done(&c);
	return 0;
}

static int untag(struct registry *r, const struct name *n, const struct reg_tag_target *v, size_t count, size_t *removed, struct names *trashed,
		 struct err *e)
{
	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;

	*removed = 0;
	for (size_t i = 0; i < count; i++) {
		if (reg_mark(r, n, UNDO_DELETED, &v[i].tag, &v[i].digest, e) < 0)
			return -1;
		tell_removal(r, n, EVENT_UNTAG, &v[i].tag, &v[i].digest, &j);
	}
	if (reg_mark_flush(r, n, e) < 0 || journal_begin(r->st, &j, e) < 0 || untag_quietly(r, n, v, count, removed, trashed, e) < 0)
		return -1;
	journal_done(r->st, &j);
	return 0;
}

int reg_delete_tags(struct registry *r, const struct name *n, const struct reg_tag_target *v, size_t count, struct names *trashed, struct err *e)
{
	size_t removed;

	return untag(r, n, v, count, &removed, trashed, e);
}

int reg_delete_cached_tags(struct registry *r, const struct name *n, const struct reg_tag_target *v, size_t count, struct names *trashed,
			   struct err *e)
{
	size_t removed;

	return untag_quietly(r, n, v, count, &removed, trashed, e);
}

static int delete_tag(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre,
		      struct names *trashed, struct err *e)
{
	struct reg_tag_target target = { .tag = ref->tag };
	int found = tag_read(r->st, n, &ref->tag, &target.digest, e);
	size_t removed = 0;

	if (found < 0 || reg_precondition_check(r, n, ref, pre, e) < 0 || (found == 1 && reg_rules_untag(r, n, &ref->tag, e) < 0))
		return -1;
	if (found == 1 && untag(r, n, &target, 1, &removed, trashed, e) < 0)
		return -1;
	return removed ? 0 : unknown(ref, e);
}

/* Where tags are immutable, what they need is read before others have to wait. */
static int look_before(struct registry *r, const struct name *n, const struct digest *d, struct reg_rules_known *known, struct err *e)
{
	struct digest content;
	int found = reg_rules_protects(r, n) ? revision_read(r->st, n, d, &content, e) : 0;

	return found == 1 ? reg_rules_look(r, n, d, known, e) : found;
}

int reg_delete(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre, struct err *e)
{
	cleanup_names struct names trashed = NAMES_INIT;
	cleanup_reg_rules struct reg_rules_known known = REG_RULES_KNOWN_INIT;
	cleanup_fd int lock = -1;
	int rc;

	if ((ref->kind == REF_DIGEST && look_before(r, n, &ref->digest, &known, e) < 0) || lock_repository(r->st, n, &lock, e) < 0)
		return -1;
	rc = ref->kind == REF_TAG ? delete_tag(r, n, ref, pre, &trashed, e) :
				    delete_revision(r, n, ref, &known, &trashed, e);
	os_cleanup_fd(&lock);           /* emptying the trash needs no lock */
	if (rc == 0)                    /* after an error a removal may not be durable: leave the trash to the collector */
		store_purge_all(r->st, &trashed);
	return rc;
}
