/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_untag: many tags at once.
 *
 * Owns no state. Invariant: a tag is removed only if it points to what it pointed to when it was found, which is compared under the
 * repository's lock. Knows nothing of HTTP or users.
 */
#include "registry/reg_untag.h"

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/glob.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "conf/rules.h"
#include "os/file.h"
#include "registry/reg_delete.h"
#include "registry/reg_order.h"
#include "registry/reg_rules.h"
#include "store/clock.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/tag.h"

#define SECOND UINT64_C(1000000)

void untag_list_release(struct untag_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->v[i].why);
	free(l->v);
	*l = (struct untag_list)UNTAG_LIST_INIT;
}

void untag_found_release(struct untag_found *f)
{
	untag_list_release(&f->goes);
	untag_list_release(&f->stays);
	str_release(&f->next);
}

void untag_list_add(struct untag_list *l, const struct tag *t, const struct digest *d, const char *why)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->count] = (struct untag_entry){ .tag = *t, .why = why ? xstrdup(why) : NULL };
	if (d)
		l->v[l->count].digest = *d;
	l->count++;
}

static int must_exist(struct registry *r, const struct name *n, struct err *e)
{
	int exists = repo_exists(r->st, n, e);

	return exists == 0 ? err_set(e, ERR_NAME_UNKNOWN, "%s", n->s) : exists < 0 ? -1 : 0;
}

/* Why a tag has to stay; "": it need not. */
static void refusal(const struct registry *r, const struct name *n, const struct tag *t, struct str *why)
{
	const struct rule *rule = rules_immutable(r->cfg, n, t->s);

	str_reset(why);
	if (rule)
		str_addf(why, "immutable, by the rule for \"%s\"", rule->repo);
}

static int look(struct registry *r, const struct name *n, const struct tag *t, struct untag_found *out, struct err *e)
{
	cleanup_str struct str why = STR_INIT;
	struct digest d;
	int found = tag_read(r->st, n, t, &d, e);

	if (found < 0)
		return -1;
	refusal(r, n, t, &why);
	if (!found)
		untag_list_add(&out->stays, t, NULL, "there is no such tag");
	else if (why.len)
		untag_list_add(&out->stays, t, &d, why.buf);
	else
		untag_list_add(&out->goes, t, &d, NULL);
	return 0;
}

/* The tags are in byte order; those that are not behind `after`, and equal ones, are left out. */
static int look_at_all(struct registry *r, const struct name *n, const struct names *tags, const char *after, struct untag_found *out,
		       struct err *e)
{
	const char *last = after;
	size_t i, count = 0;
	struct tag t;

	for (i = 0; i < tags->count; i++) {
		if (strcmp(tags->v[i], last) <= 0 || tag_parse(&t, tags->v[i], strlen(tags->v[i])) < 0)
			continue;
		if (count++ == UNTAG_MAX) {
			str_puts(&out->next, last);
			break;
		}
		last = tags->v[i];
		if (look(r, n, &t, out, e) < 0)
			return -1;
	}
	return 0;
}

int reg_untag_list(struct registry *r, const struct name *n, struct names *tags, const char *after, struct untag_found *out, struct err *e)
{
	names_sort(tags);
	return must_exist(r, n, e) < 0 ? -1 : look_at_all(r, n, tags, after, out, e);
}

static int too_many(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "a pattern that matches more than %d tags is too much at once", ORDER_MAX);
	err_plain(e);
	return err_status(e, 400);
}

/* The tags that match the pattern; with the times of their pushes where the filter asks for them. */
static int match(struct registry *r, const struct name *n, const struct untag_filter *f, struct order_list *out, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	size_t i, count = 0;

	if (tag_names(r->st, n, &all, e) < 0)
		return -1;
	for (i = 0; i < all.count; i++) {
		uint64_t pushed = 0;
		struct tag t;
		int found = 1;

		if (tag_parse(&t, all.v[i], strlen(all.v[i])) < 0 || (f->pattern && !glob_match(f->pattern, t.s)))
			continue;
		if (count++ == ORDER_MAX)
			return too_many(e);
		if (f->has_older || f->has_keep)
			found = tag_pushed(r->st, n, &t, false, &pushed, e);
		if (found < 0)
			return -1;
		if (found)
			order_list_add(out, pushed, t.s);
	}
	return 0;
}

int reg_untag_filter(struct registry *r, const struct name *n, const struct untag_filter *f, const char *after, struct untag_found *out,
		     struct err *e)
{
	static const struct order by_push = { .by = ORDER_PUSHED, .desc = true };
	cleanup_order_list struct order_list matched = ORDER_LIST_INIT;
	cleanup_names struct names tags = NAMES_INIT;
	uint64_t now = 0;
	size_t i;

	if (must_exist(r, n, e) < 0 || match(r, n, f, &matched, e) < 0 || (f->has_older && clock_now(r->st, &now, e) < 0))
		return -1;
	order_sort(&by_push, &matched);
	for (i = 0; i < matched.count; i++) {
		const struct order_entry *m = &matched.v[i];

		if (f->has_keep && i < f->keep_newest)
			continue;
		if (!f->has_older || (m->key < now && (now - m->key) / SECOND >= f->older_than))
			names_add(&tags, m->name, strlen(m->name));
	}
	names_sort(&tags);
	return look_at_all(r, n, &tags, after, out, e);
}

/* What is still so, of one batch, under the lock. */
static int compare(struct registry *r, const struct name *n, const struct untag_entry *v, size_t count, struct reg_tag_target *targets,
		   size_t *ntargets, struct untag_found *out, struct untag_list *changed, struct err *e)
{
	cleanup_str struct str why = STR_INIT;

	*ntargets = 0;
	for (size_t i = 0; i < count; i++) {
		struct digest now;
		int found = tag_read(r->st, n, &v[i].tag, &now, e);

		if (found < 0)
			return -1;
		refusal(r, n, &v[i].tag, &why);
		if (!found || !digest_eq(&now, &v[i].digest))
			untag_list_add(changed, &v[i].tag, found ? &now : NULL, NULL);
		else if (why.len)
			untag_list_add(&out->stays, &v[i].tag, &now, why.buf);
		else
			targets[(*ntargets)++] = (struct reg_tag_target){ v[i].tag, now };
	}
	return 0;
}

static int remove_batch(struct registry *r, const struct name *n, const struct untag_entry *v, size_t count, struct untag_found *out,
			struct untag_list *deleted, struct untag_list *changed, struct err *e)
{
	struct reg_tag_target targets[UNTAG_BATCH];
	cleanup_names struct names trashed = NAMES_INIT;
	cleanup_fd int lock = -1;
	size_t i, ntargets;

	if (lock_repository(r->st, n, &lock, e) < 0 || compare(r, n, v, count, targets, &ntargets, out, changed, e) < 0 ||
	    (ntargets && reg_delete_tags(r, n, targets, ntargets, &trashed, e) < 0))
		return -1;
	os_cleanup_fd(&lock);
	store_purge_all(r->st, &trashed);
	for (i = 0; i < ntargets; i++)
		untag_list_add(deleted, &targets[i].tag, &targets[i].digest, NULL);
	return 0;
}

/*
 * A batch has failed, and what went before it is durable: that is the answer, to go on behind `last`. Whoever goes on meets the fault again, and
 * finds tags of this batch that have gone nevertheless among what has changed.
 */
static int end_early(const struct name *n, const char *last, struct untag_found *out, struct untag_list *changed, struct err *e)
{
	struct log_event ev;

	log_begin(&ev, LOG_ERROR, "untag_failed");
	log_str(&ev, "repository", n->s);
	log_err(&ev, e);
	log_end(&ev);
	err_release(e);
	*e = (struct err)ERR_INIT;
	str_reset(&out->next);
	str_puts(&out->next, last);
	/* Without a `why`, which would be owned. */
	while (changed->count && strcmp(changed->v[changed->count - 1].tag.s, last) > 0)
		changed->count--;
	return 0;
}

int reg_untag(struct registry *r, const struct name *n, struct untag_found *out, struct untag_list *deleted, struct untag_list *changed,
	      struct err *e)
{
	uint64_t begun = time_now_usec();
	size_t at, count;

	if (must_exist(r, n, e) < 0 || reg_rules_writable(r, n, e) < 0)
		return -1;
	for (at = 0; at < out->goes.count; at += count) {
		const struct untag_entry *v = &out->goes.v[at];

		count = out->goes.count - at < UNTAG_BATCH ? out->goes.count - at : UNTAG_BATCH;
		if (at && time_now_usec() - begun > SECOND) {
			str_reset(&out->next);
			str_puts(&out->next, v[-1].tag.s);
			break;
		}
		if (remove_batch(r, n, v, count, out, deleted, changed, e) < 0)
			return deleted->count ? end_early(n, v[-1].tag.s, out, changed, e) : -1;
	}
	return 0;
}

/* "NAME\n", then a line for each tag, "TAG DIGEST\n", in base64. */
void reg_untag_token(const struct name *n, const struct untag_list *goes, struct str *out)
{
	cleanup_str struct str bytes = STR_INIT;

	str_add(&bytes, n->s, n->len);
	str_addc(&bytes, '\n');
	for (size_t i = 0; i < goes->count; i++) {
		const struct untag_entry *g = &goes->v[i];

		str_addf(&bytes, "%s %s\n", g->tag.s, g->digest.text);
	}
	b64_encode(B64_URL, bytes.buf, bytes.len, out);
}

/* *last: the tag of the line before, if there is one: they are in byte order, each once. */
static int parse_line(const char *line, size_t len, const char *after, struct tag *last, struct untag_list *goes)
{
	const char *space = memchr(line, ' ', len);
	struct digest d;
	struct tag t;

	if (!space || goes->count == UNTAG_MAX || tag_parse(&t, line, (size_t)(space - line)) < 0 ||
	    digest_parse(&d, space + 1, len - (size_t)(space + 1 - line)) < 0 || strcmp(t.s, last->s) <= 0)
		return -1;
	*last = t;
	if (strcmp(t.s, after) > 0)
		untag_list_add(goes, &t, &d, NULL);
	return 0;
}

int reg_untag_parse(const struct name *n, const char *token, size_t len, const char *after, struct untag_list *goes)
{
	cleanup_str struct str bytes = STR_INIT;
	const char *line, *end;
	struct tag last = { 0 };

	if (b64_decode(B64_URL, token, len, &bytes) < 0)
		return -1;
	line = bytes.buf;
	end = memchr(line, '\n', bytes.len);
	if (!end || (size_t)(end - line) != n->len || memcmp(line, n->s, n->len) != 0)
		return -1;
	for (line = end + 1; line < bytes.buf + bytes.len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(bytes.buf + bytes.len - line));
		if (!end || parse_line(line, (size_t)(end - line), after, &last, goes) < 0)
			return -1;
	}
	return 0;
}
