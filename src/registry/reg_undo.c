/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_undo: bringing back what is remembered.
 *
 * Owns no state. Invariant: as in reg_manifest: when the link of a manifest appears, all content that it names is present and
 * durable, and a tag appears after its manifest. Knows nothing of HTTP or users.
 */
#include "registry/reg_undo.h"

#include <string.h>

#include "base/event.h"
#include "base/log.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "registry/reg_copied.h"
#include "registry/reg_index.h"
#include "registry/reg_manifest.h"
#include "registry/reg_quota.h"
#include "registry/reg_retag.h"
#include "registry/reg_rules.h"
#include "registry/reg_stored.h"
#include "registry/reg_summary.h"
#include "registry/reg_undo_plan.h"
#include "store/collector.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

static int must_exist(struct registry *r, const struct name *n, struct err *e)
{
	int exists = repo_exists(r->st, n, e);

	return exists == 0 ? err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", n->s) : exists < 0 ? -1 : 0;
}

/* Whether what the mark is of is there now, as it was: 1, 0, -1 with *e. */
static int is_there(struct registry *r, const struct name *n, const struct undo_mark *m, struct err *e)
{
	struct digest now;
	int found = m->tag.len ? tag_read(r->st, n, &m->tag, &now, e) : 1;

	if (found == 1 && m->tag.len && !digest_eq(&now, &m->digest))
		found = 0;
	return found == 1 ? revision_linked(r->st, n, &m->digest, e) : found;
}

int reg_undo_list(struct registry *r, const struct name *n, int (*visit)(void *arg, const struct undo_mark *m, struct err *e), void *arg,
		  struct err *e)
{
	cleanup_undo_marks struct undo_marks marks = UNDO_MARKS_INIT;
	size_t i;
	int rc = 0;

	if (must_exist(r, n, e) < 0 || undo_read(r->st, n, &marks, e) < 0)
		return -1;
	for (i = 0; rc == 0 && i < marks.count; i++) {
		rc = is_there(r, n, &marks.v[i], e);
		if (rc >= 0)
			rc = rc ? 0 : visit(arg, &marks.v[i], e);
	}
	return rc;
}

/* Whether a tag, which points to *now or (NULL) is not there, is as it has to be; that it is restored already is no fault either. */
static int as_expected(const struct digest *now, const struct digest *wanted, const struct digest *expected, struct err *e)
{
	bool absent = !expected || !expected->text[0];

	if (!expected || (now && wanted && digest_eq(now, wanted)) || (now ? !absent && digest_eq(now, expected) : absent))
		return 0;
	return err_set(e, ERR_DENIED, "%s meanwhile", now ? "pushed again" : "deleted");
}

/* The manifest to bring back: of the marks that fit the latest one. */
static int choose(struct registry *r, const struct name *n, const struct undo_marks *marks, const struct tag *t, const struct digest *wanted,
		  const struct digest *expected, struct digest *out, struct err *e)
{
	struct digest now;
	int tagged = t ? tag_read(r->st, n, t, &now, e) : 0;
	size_t i;

	if (tagged < 0 || (t && as_expected(tagged ? &now : NULL, wanted, expected, e) < 0))
		return -1;
	for (i = marks->count; i-- > 0;) {
		const struct undo_mark *m = &marks->v[i];

		if (wanted ? !digest_eq(&m->digest, wanted) : strcmp(m->tag.s, t->s) != 0 || (tagged && digest_eq(&m->digest, &now)))
			continue;
		*out = m->digest;
		return 0;
	}
	if (wanted)
		return err_set(e, ERR_MANIFEST_UNKNOWN, "nothing is remembered of %s; `berth tag deleted` lists what is", wanted->text);
	return err_set(e, ERR_MANIFEST_UNKNOWN, "nothing is remembered of the tag %s; `berth tag deleted` lists what is", t->s);
}

/* What the journal says of a manifest that gets its link again, or of the tag. */
static int tell(struct registry *r, const struct name *n, const struct digest *d, const struct tag *t, struct journal_entry *j, struct err *e)
{
	struct event ev = { .repository = n, .tag = t, .digest = d, .by = r->by };
	cleanup_str struct str bytes = STR_INIT, type = STR_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	struct digest before, content = *d;

	if (reg_retag_event(r, n, t, d, &ev, &before, e) < 0 || revision_read(r->st, n, d, &content, e) < 0)
		return -1;
	if (!content.text[0])
		content = *d;
	if (reg_stored_content(r, &content, &bytes, e) < 0)
		return -1;
	manifest_scan_type(&type, bytes.buf, bytes.len);
	ev.media_type = type.buf;
	ev.has_size = true;
	ev.size = bytes.len;
	if (manifest_parse(&m, bytes.buf, bytes.len, NULL, &ignored) == 0)
		ev.artifact_type = m.artifact_type;
	ev.subject = m.has_subject ? &m.subject : NULL;
	journal_add(r->st, j, &ev);
	return 0;
}

static int write_journal(struct registry *r, const struct name *n, const struct undo_plan *p, const struct tag *t, const struct digest *d,
			 struct journal_entry *j, struct err *e)
{
	size_t i;

	if (!journal_on(r->st))
		return 0;
	for (i = 0; i < p->missing.count; i++)
		if (!(t && digest_eq(&p->missing.v[i], d)) && tell(r, n, &p->missing.v[i], NULL, j, e) < 0)
			return -1;
	if (t && tell(r, n, d, t, j, e) < 0)
		return -1;
	return journal_begin(r->st, j, e);
}

/* One manifest gets its link again, and its entry among the referrers before. */
static int link_again(struct registry *r, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_summary_change struct summary_change c = SUMMARY_CHANGE_INIT;
	cleanup_str struct str bytes = STR_INIT, descriptor = STR_INIT;
	struct digest subject;

	if (reg_stored_content(r, d, &bytes, e) < 0)
		return -1;
	if (manifest_scan_referrer(bytes.buf, bytes.len, d, &subject, &descriptor) &&
	    reg_summary_add_referrer(r, n, &subject, d, &descriptor, &c, e) < 0)
		return -1;
	if (revision_set(r->st, n, d, e) < 0)
		return -1;
	reg_summary_referred(&c, &subject, &descriptor);
	return 0;
}

/* The links that were made before one failed are removed, each before those of what it names: 0, or -1 if one of them stays. */
static int unlink_again(struct registry *r, const struct name *n, const struct undo_plan *p, size_t count)
{
	cleanup_err struct err e = ERR_INIT;
	int rc = 0;

	while (rc == 0 && count-- > 0) {
		cleanup_str struct str bytes = STR_INIT, descriptor = STR_INIT;
		cleanup_err struct err ignored = ERR_INIT;
		const struct digest *d = &p->missing.v[count];
		struct digest subject;
		int refers = reg_stored_content(r, d, &bytes, &ignored) != 1 ? -1 :
			manifest_scan_referrer(bytes.buf, bytes.len, d, &subject, &descriptor);

		if (reg_summary_will_unrefer(r, n, refers, &subject, &e) < 0 || revision_remove(r->st, n, d, &e) < 0)
			rc = -1;
		else if (refers == 1)
			reg_summary_unreferred(r, n, &subject, d);
	}
	if (rc < 0)
		log_say(LOG_WARN, "restore", "%s has manifests of a restore that failed, without a tag: %s", n->s, e.cause);
	return rc;
}

/* All manifests get their links: how many did, or may have. */
static size_t link_all(struct registry *r, const struct name *n, const struct undo_plan *p, int *rc, struct err *e)
{
	size_t i;

	*rc = 0;
	for (i = 0; *rc == 0 && i < p->missing.count; i++)
		*rc = link_again(r, n, &p->missing.v[i], e);
	return i;
}

/* Whether the tag certainly does not point to d. */
static bool points_elsewhere(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d)
{
	cleanup_err struct err ignored = ERR_INIT;
	struct digest now;
	int found = tag_read(r->st, n, t, &now, &ignored);

	return found == 0 || (found == 1 && !digest_eq(&now, d));
}

/*
 * All of it is made, or nothing stays: a push may have taken the room since the quota was asked, or the disk be full. Where the tag is set
 * and may not be durable, all links are there as well, and stay.
 */
static int write_all(struct registry *r, const struct name *n, const struct undo_plan *p, const struct tag *t, const struct digest *d,
		     const struct journal_entry *j, struct err *e)
{
	struct reg_retag_of of = { .facts = FACTS_INIT };
	bool tagged;
	int rc;
	size_t linked = link_all(r, n, p, &rc, e);

	tagged = rc == 0 && (!t || reg_retag(r, n, t, d, &of, e) == 0);
	facts_release(&of.facts);
	if (tagged)
		return 0;
	if ((rc < 0 || points_elsewhere(r, n, t, d)) && unlink_again(r, n, p, linked) == 0)
		journal_undone(r->st, j);
	return -1;
}

int reg_undo_restore(struct registry *r, const struct name *n, const struct tag *t, const struct digest *wanted,
		     const struct digest *expected, struct digest *d, struct err *e)
{
	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;
	cleanup_undo_marks struct undo_marks marks = UNDO_MARKS_INIT;
	cleanup_undo_plan struct undo_plan p = UNDO_PLAN_INIT;
	cleanup_collector struct store *held = NULL;
	cleanup_fd int lock = -1;

	*d = (struct digest){ 0 };
	if (must_exist(r, n, e) < 0 || reg_rules_writable(r, n, e) < 0 || lock_repository(r->st, n, &lock, e) < 0 ||
	    undo_read(r->st, n, &marks, e) < 0 || choose(r, n, &marks, t, wanted, expected, d, e) < 0 ||
	    (t && reg_rules_push(r, n, t, 1, d, e) < 0) || reg_index_ensure(r, n, e) < 0 || lock_collector(r->st, e) < 0)
		return -1;
	held = r->st;
	if (undo_plan_make(&p, r, n, &marks, d, e) < 0 || reg_quota_room(r, n, p.missing.v, p.missing.count, e) < 0 ||
	    collector_note(r->st, n, p.needed.v, p.needed.count, e) < 0 || reg_copied_becomes_own(r, n, e) < 0 ||
	    write_journal(r, n, &p, t, d, &j, e) < 0 || reg_manifest_flush_links(r, n, p.layers, p.revisions, e) < 0 ||
	    write_all(r, n, &p, t, d, &j, e) < 0)
		return -1;
	return reg_manifest_done(r, n, &held, &lock, &j, e);
}
