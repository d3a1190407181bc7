/* SPDX-License-Identifier: Apache-2.0 */
/* api_undo: /berth/v1/repos/<name>/deleted and tags:restore, what was deleted or moved, and bringing it back (doc/RULES.md, "Undo"). */
#include <string.h>

#include "base/json_put.h"
#include "base/log.h"
#include "http/api.h"
#include "http/api_body.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "registry/reg_undo.h"
#include "store/undo.h"

#define ROWS 50
#define ROWS_MAX 100
#define BODY_MAX (64 * 1024)
#define RESTORE_MAX 100         /* tags at once: each is durable by itself */
#define USEC 1000000

struct page {
	struct exchange *x;
	struct str *out;
	const char *after;              /* the name of the mark behind which it begins, or "" */
	size_t max, count;
	struct str next;
};

static int add(void *arg, const struct undo_mark *m, struct err *e)
{
	cleanup_str struct str name = STR_INIT, by = STR_INIT;
	struct page *p = arg;
	int known;

	undo_name(m, &name);
	if (strcmp(name.buf, p->after) <= 0)
		return 0;
	if (p->count++ == p->max)
		return 1;
	known = undo_by(p->x->reg->st, &p->x->name, m, &by, e);
	if (known < 0)
		return -1;
	json_put_key(p->out, NULL);
	str_addc(p->out, '{');
	if (m->tag.len)
		json_put_word(p->out, "tag", m->tag.s);
	json_put_word(p->out, "digest", m->digest.text);
	json_put_time(p->out, "at", (int64_t)(m->usec / USEC));
	json_put_word(p->out, "was", m->kind == UNDO_MOVED ? "moved" : "deleted");
	if (known)
		json_put_word(p->out, "by", by.buf);
	str_addc(p->out, '}');
	str_reset(&p->next);
	str_add(&p->next, name.buf, name.len);
	return 0;
}

int api_deleted_get(struct exchange *x, struct err *e)
{
	cleanup_str struct str after = STR_INIT, next = STR_INIT;
	struct page p = { .x = x, .out = &x->rs.body, .next = STR_INIT };
	struct undo_mark m;
	int rc;

	if (api_number(x, ROWS, ROWS_MAX, &p.max, e) < 0 || (rc = api_parameter(x, "after", &after, e)) < 0)
		return -1;
	if (rc && undo_parse(&m, after.buf, after.len) < 0)
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "after is no place in this list: %.64s", after.buf);
	p.after = after.buf;
	response_json(&x->rs, 200);
	str_puts(p.out, "{\"deleted\":[");
	rc = reg_undo_list(x->reg, &x->name, add, &p, e);
	next = p.next;
	if (rc < 0)
		return -1;
	str_addc(p.out, ']');
	if (rc == 1)
		json_put_word(p.out, "next", next.buf);
	api_put_may(x, p.out);
	str_addc(p.out, '}');
	api_done(x);
	return 0;
}

/* What to bring back. */
struct wish {
	size_t count;
	struct {
		struct tag tag;
		bool has_digest, has_expected;
		struct digest digest, expected;         /* expected: text "" for a tag that is not there */
	} v[RESTORE_MAX];
};

static int read_entry_member(void *arg, const char *key, struct json_view v, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	struct wish *w = arg;
	bool good = false;

	if (strcmp(key, "expect") == 0 && v.kind == JSON_NULL) {
		w->v[w->count].has_expected = true;
		return 0;
	}
	if (api_text(v, key, DIGEST_TEXT_MAX, &text, e) < 0)
		return -1;
	if (strcmp(key, "tag") == 0)
		good = tag_parse(&w->v[w->count].tag, text.buf, text.len) == 0;
	else if (strcmp(key, "digest") == 0)
		good = w->v[w->count].has_digest = digest_parse(&w->v[w->count].digest, text.buf, text.len) == 0;
	else if (strcmp(key, "expect") == 0)
		good = w->v[w->count].has_expected = digest_parse(&w->v[w->count].expected, text.buf, text.len) == 0;
	return good ? 0 : api_refuse(e, "not a tag or its digest: %.64s", text.buf);
}

static int read_member(void *arg, const char *key, struct json_view v, struct err *e)
{
	struct json_walk walk = json_walk(v);
	struct wish *w = arg;
	struct json_view entry;

	if (strcmp(key, "tags") != 0 || v.kind != JSON_LIST)
		return api_refuse(e, "the body has a list, tags, and nothing else");
	while (json_walk_next(&walk, NULL, &entry)) {
		if (w->count == RESTORE_MAX)
			return api_refuse(e, "at most %d tags at once", RESTORE_MAX);
		if (api_members(entry, "an entry of tags", read_entry_member, w, e) < 0)
			return -1;
		if (!w->v[w->count++].tag.len)
			return api_refuse(e, "an entry of tags has no tag");
	}
	return 0;
}

static void put_entry(struct str *out, const struct tag *t, const char *key, const char *text)
{
	json_put_key(out, NULL);
	str_addc(out, '{');
	json_put_word(out, "tag", t->s);
	json_put_word(out, key, text);
	str_addc(out, '}');
}

/* The registry has failed once something was restored, which is the answer: it and the rest come among what has failed. */
static void give_up(const struct exchange *x, const struct wish *w, size_t at, const struct err *why, struct str *failed)
{
	struct log_event ev;

	log_begin(&ev, LOG_ERROR, "restore_failed");
	log_str(&ev, "repository", x->name.s);
	log_err(&ev, why);
	log_end(&ev);
	put_entry(failed, &w->v[at].tag, "why", "the registry has failed");
	while (++at < w->count)
		put_entry(failed, &w->v[at].tag, "why", "not tried: the registry has failed");
}

/* One that fails prevents no other one; only what is wrong with the registry ends it. */
static int restore(struct exchange *x, const struct wish *w, struct str *restored, struct str *failed, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < w->count; i++) {
		cleanup_err struct err why = ERR_INIT;
		struct digest d;
		int rc = reg_undo_restore(x->reg, &x->name, &w->v[i].tag, w->v[i].has_digest ? &w->v[i].digest : NULL,
					  w->v[i].has_expected ? &w->v[i].expected : NULL, &d, &why);
		bool ends = rc < 0 && (why.status >= 500 || why.code == ERR_NAME_UNKNOWN);

		if (ends && any) {
			give_up(x, w, i, &why, failed);
			return 0;
		}
		if (ends) {
			*e = why;
			why = (struct err)ERR_INIT;
			return -1;
		}
		if (rc == 0)
			guard_did(x, "push", &w->v[i].tag, &d);
		put_entry(rc < 0 ? failed : restored, &w->v[i].tag, rc < 0 ? "why" : "digest", rc < 0 ? why.detail : d.text);
		any = any || rc == 0;
	}
	return 0;
}

int api_tags_restore(struct exchange *x, struct err *e)
{
	cleanup_str struct str body = STR_INIT, restored = STR_INIT, failed = STR_INIT;
	struct wish w = { .count = 0 };

	if (api_body(x, BODY_MAX, &body, read_member, &w, e) < 0)
		return -1;
	if (!w.count)
		return api_refuse(e, "tags is empty");
	str_addc(&restored, '[');
	str_addc(&failed, '[');
	if (restore(x, &w, &restored, &failed, e) < 0)
		return -1;
	response_json(&x->rs, restored.len > 1 ? 201 : 200);
	response_header(&x->rs, "Cache-Control", "no-store");
	str_addf(&x->rs.body, "{\"restored\":%s],\"failed\":%s]}\n", restored.buf, failed.buf);
	return 0;
}
