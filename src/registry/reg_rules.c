/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_rules: immutable tags and limits of a repository.
 *
 * Owns the words of refusals. Acquires no lock. Invariant: nothing that an immutable tag needs is allowed to go, whatever it is
 * called by. Knows nothing of HTTP or users.
 */
#include "registry/reg_rules.h"

#include <inttypes.h>
#include <string.h>

#include "conf/rules.h"
#include "os/dir.h"
#include "registry/manifest_scan.h"
#include "registry/reg_stored.h"
#include "store/revision.h"
#include "store/tag.h"
#include "store/tag_count.h"

#define ABSENT_MAX 1000         /* manifests to look for again under the lock */

/* The rule as a client is told of it. */
#define BY_RULE "the rule for \"%.80s\""

static int refuse(struct err *e, int status)
{
	err_status(e, status);
	return err_plain(e);
}

static int immutable(const struct rule *rule, const struct tag *t, const char *because, struct err *e)
{
	err_set(e, ERR_DENIED, "immutable tag %.128s: " BY_RULE " %s", t->s, rule->repo, because);
	return refuse(e, REG_RULES_IMMUTABLE);
}

static const struct rule *immutable_by(const struct registry *r, const struct name *n, const struct tag *t)
{
	return r->force ? NULL : rules_immutable(r->cfg, n, t->s);
}

static int too_many(const struct registry *r, const struct name *n, uint64_t max, struct err *e)
{
	err_set(e, ERR_DENIED, "too many tags: " BY_RULE " allows %" PRIu64, rules_find(r->cfg, n, RULE_MAX_TAGS)->repo, max);
	return refuse(e, 403);
}

int reg_rules_push(struct registry *r, const struct name *n, const struct tag *tags, size_t count, const struct digest *d, struct err *e)
{
	uint64_t max = rules_max_tags(r->cfg, n), have, more = 0;

	if (!max && !reg_rules_protects(r, n))
		return 0;
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = immutable_by(r, n, &tags[i]);
		struct digest now;
		int found = max || rule ? tag_read(r->st, n, &tags[i], &now, e) : 1;

		if (found < 0)
			return -1;
		more += !found;
		if (rule && found && !digest_eq(&now, d))
			return immutable(rule, &tags[i], "lets nobody move it", e);
	}
	if (!max || !more)
		return 0;
	if (more > max)
		return too_many(r, n, max, e);
	if (tag_count(r->st, n, max - more, &have, e) < 0)
		return -1;
	return have > max - more ? too_many(r, n, max, e) : 0;
}

int reg_rules_untag(struct registry *r, const struct name *n, const struct tag *t, struct err *e)
{
	const struct rule *rule = immutable_by(r, n, t);

	return rule ? immutable(rule, t, "lets nobody delete it", e) : 0;
}

bool reg_rules_protects(const struct registry *r, const struct name *n)
{
	const struct rule *rule = r->force ? NULL : rules_find(r->cfg, n, RULE_IMMUTABLE);

	return rule && rule->immutable.count;
}

/* A search for a digest among all that immutable tags need. */
struct search {
	struct registry *r;
	const struct name *n;
	const struct digest *d;
	struct digest root;             /* what the tag points to that is being looked at */
	struct reg_rules_known *known;  /* seen: manifests that were read, or are on the stack */
	bool unreadable;                /* it ended at a manifest that cannot be read */
	struct digest_list stack;       /* manifests to read */
};

static void push(struct search *s, const struct digest *d)
{
	if (digestset_has(&s->known->seen, d))
		return;
	digestset_add(&s->known->seen, d);
	digest_list_add(&s->stack, d);
}

enum needed { NOT_NEEDED, NEEDED, UNREADABLE };

void reg_rules_forget(struct reg_rules_known *known)
{
	digestset_release(&known->seen);
	digest_list_release(&known->absent);
	*known = (struct reg_rules_known)REG_RULES_KNOWN_INIT;
}

/* One more than ABSENT_MAX are of no use: is_over() then. */
static void note_absent(struct reg_rules_known *known, const struct digest *d)
{
	if (known->absent.count <= ABSENT_MAX)
		digest_list_add(&known->absent, d);
}

/* Whether something that was absent may have been pushed since: what it names has not been looked at. */
static bool is_over(struct registry *r, const struct name *n, const struct reg_rules_known *known)
{
	cleanup_err struct err ignored = ERR_INIT;

	if (known->absent.count > ABSENT_MAX)
		return true;
	for (size_t i = 0; i < known->absent.count; i++)
		if (revision_linked(r->st, n, &known->absent.v[i], &ignored) != 0)
			return true;
	return false;
}

/*
 * A manifest without bytes: one that the repository does not have names nothing, as where an index is sparse. If it has a link, or the tag
 * points to it, its content is lost (fsck moves it to the quarantine), and a push of the same brings it back.
 */
static int lost(struct search *s, const struct digest *d, struct err *e)
{
	int linked = digest_eq(d, &s->root) ? 1 : revision_linked(s->r->st, s->n, d, e);

	if (linked)
		return linked < 0 ? -1 : UNREADABLE;
	note_absent(s->known, d);
	return NOT_NEEDED;
}

/* What one manifest names: an enum needed, or -1 with *e. */
static int look_into(struct search *s, const struct digest *d, struct err *e)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT;
	int found = reg_stored_bytes(s->r, s->n, d, &bytes, e);

	if (found < 0)
		return e->code == ERR_MANIFEST_INVALID ? UNREADABLE : -1;
	if (found == 0)
		return lost(s, d, e);
	if (!manifest_scan_descriptors(&m, bytes.buf, bytes.len))
		return UNREADABLE;
	for (size_t i = 0; i < m.nrefs; i++) {
		if (digest_eq(&m.refs[i].digest, s->d))
			return NEEDED;
		/* An entry of an unknown type may be a manifest of this repository as well. */
		if (m.refs[i].kind == MREF_CHILD_MANIFEST || m.refs[i].kind == MREF_CHILD_BLOB)
			push(s, &m.refs[i].digest);
	}
	return NOT_NEEDED;
}

/* Whether the tag that points to `root` needs it. What earlier tags need is not looked at again. */
static int needs(struct search *s, const struct digest *root, struct err *e)
{
	int needed = digest_eq(root, s->d) ? NEEDED : NOT_NEEDED;

	s->root = *root;
	push(s, root);
	while (needed == NOT_NEEDED && s->stack.count) {
		struct digest d = s->stack.v[--s->stack.count];

		needed = look_into(s, &d, e);
	}
	return needed;
}

static int check_need(struct search *s, const struct rule *rule, const struct tag *t, struct err *e)
{
	struct digest root;
	int found = tag_read(s->r->st, s->n, t, &root, e), needed = found == 1 ? needs(s, &root, e) : NOT_NEEDED;

	if (found < 0 || needed < 0)
		return -1;
	s->unreadable = needed == UNREADABLE;
	if (needed == NEEDED)
		return immutable(rule, t, digest_eq(&root, s->d) ? "lets nobody delete it" : "lets nobody delete what it needs", e);
	return needed == UNREADABLE ? immutable(rule, t, "lets nobody delete what it needs, and a manifest of it cannot be read", e) : 0;
}

/* Calls visit() for each immutable tag until it returns anything but 0. */
static int each_immutable(struct registry *r, const struct name *n,
			  int (*visit)(struct search *s, const struct rule *rule, const struct tag *t, struct err *e), struct search *s,
			  struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	int rc = 0;

	if (!reg_rules_protects(r, n))
		return 0;
	if (tag_names(r->st, n, &all, e) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < all.count; i++) {
		const struct rule *rule;
		struct tag t;

		if (tag_parse(&t, all.v[i], strlen(all.v[i])) == 0 && (rule = immutable_by(r, n, &t)) != NULL)
			rc = visit(s, rule, &t, e);
	}
	return rc;
}

int reg_rules_remove(struct registry *r, const struct name *n, const struct digest *d, struct reg_rules_known *known, struct err *e)
{
	struct search s = { .r = r, .n = n, .d = d, .known = known };
	int rc;

	if (is_over(r, n, known))
		reg_rules_forget(known);
	rc = each_immutable(r, n, check_need, &s, e);
	digest_list_release(&s.stack);
	return rc;
}

int reg_rules_look(struct registry *r, const struct name *n, const struct digest *d, struct reg_rules_known *known, struct err *e)
{
	struct search s = { .r = r, .n = n, .d = d, .known = known };
	int rc = each_immutable(r, n, check_need, &s, e);

	digest_list_release(&s.stack);
	if (rc == 0 || (!s.unreadable && e->code == ERR_DENIED))
		return rc;
	/* Another request may just be changing it; and what it has not read is not known. */
	reg_rules_forget(known);
	err_release(e);
	return 0;
}

static int refuse_existing(struct search *s, const struct rule *rule, const struct tag *t, struct err *e)
{
	struct digest d;
	int found = tag_read(s->r->st, s->n, t, &d, e);

	return found == 1 ? immutable(rule, t, "lets nobody delete it; --force does", e) : found;
}

int reg_rules_repository(struct registry *r, const struct name *n, struct err *e)
{
	struct search s = { .r = r, .n = n };

	return each_immutable(r, n, refuse_existing, &s, e);
}

int reg_rules_writable(const struct registry *r, const struct name *n, struct err *e)
{
	const struct rule *rule = r->force || !rules_readonly(r->cfg, n) ? NULL : rules_find(r->cfg, n, RULE_READONLY);

	if (!rule)
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "%s is read-only, the rule at %s says; --force changes it nevertheless", n->s, rule->where);
}

static int too_large(const struct rule *rule, const char *what, uint64_t max, struct err *e)
{
	if (rule)
		err_set(e, ERR_SIZE_INVALID, "%s may have at most %" PRIu64 " bytes: " BY_RULE " says so", what, max, rule->repo);
	else
		err_set(e, ERR_SIZE_INVALID, "%s may have at most %" PRIu64 " bytes", what, max);
	err_status(e, 413);
	return rule ? err_plain(e) : -1;
}

int reg_rules_too_large(const struct registry *r, const struct name *n, struct err *e)
{
	return too_large(rules_find(r->cfg, n, RULE_MAX_SIZE), "a blob", rules_max_size(r->cfg, n), e);
}

int reg_rules_manifest_too_large(const struct registry *r, const struct name *n, struct err *e)
{
	uint64_t max = rules_max_manifest(r->cfg, n);

	return too_large(max < r->cfg->max_manifest ? rules_find(r->cfg, n, RULE_MAX_MANIFEST) : NULL, "a manifest", max, e);
}
