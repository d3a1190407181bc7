/* SPDX-License-Identifier: Apache-2.0 */
/* api_delete: /berth/v1/repos/<name>/tags:delete, removing many tags (doc/PAGE.md, "Deleting"). */
#include <string.h>

#include "base/glob.h"
#include "base/json_put.h"
#include "base/time.h"
#include "care/untag_frees.h"
#include "conf/rules.h"
#include "http/api.h"
#include "http/api_body.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "registry/reg_untag.h"

#define BODY_MAX (512 * 1024)   /* a token of 1000 long tags */

/* What is asked for: one of list, filter and token. */
struct wish {
	struct str token, after, pattern;
	struct names tags;
	struct untag_filter filter;
	bool listed, filtered, dry_run;
};

#define WISH_INIT { .token = STR_INIT, .after = STR_INIT, .pattern = STR_INIT, .tags = NAMES_INIT }

static void wish_release(struct wish *w)
{
	str_release(&w->token);
	str_release(&w->after);
	str_release(&w->pattern);
	names_release(&w->tags);
}

#define cleanup_wish __attribute__((cleanup(wish_release)))

static int read_tags(struct wish *w, struct json_view list, struct err *e)
{
	struct json_walk walk = json_walk(list);
	struct json_view entry;
	struct tag t;

	w->listed = true;
	if (list.kind != JSON_LIST)
		return api_refuse(e, "tags is no list");
	while (json_walk_next(&walk, NULL, &entry)) {
		cleanup_str struct str text = STR_INIT;

		if (api_text(entry, "a tag", TAG_MAX_LEN, &text, e) < 0)
			return -1;
		if (tag_parse(&t, text.buf, text.len) < 0)
			return api_refuse(e, "not a tag: %.128s", text.buf);
		if (w->tags.count == UNTAG_MAX)
			return api_refuse(e, "at most %d tags at once", UNTAG_MAX);
		names_add(&w->tags, t.s, t.len);
	}
	return 0;
}

static int read_older(struct wish *w, struct json_view v, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (api_text(v, "older_than", 32, &text, e) < 0)
		return -1;
	w->filter.has_older = true;
	return time_parse_duration(text.buf, &w->filter.older_than) < 0 ? api_refuse(e, "older_than is a time such as 30d, not %.32s", text.buf) : 0;
}

static int read_pattern(struct wish *w, struct json_view v, struct err *e)
{
	const char *fault;

	if (api_text(v, "pattern", GLOB_MAX, &w->pattern, e) < 0)
		return -1;
	fault = glob_fault(w->pattern.buf);
	w->filter.pattern = w->pattern.buf;
	return fault ? api_refuse(e, "the pattern %s", fault) : 0;
}

static int read_filter_member(void *arg, const char *key, struct json_view v, struct err *e)
{
	struct wish *w = arg;

	if (strcmp(key, "pattern") == 0)
		return read_pattern(w, v, e);
	if (strcmp(key, "older_than") == 0)
		return read_older(w, v, e);
	if (strcmp(key, "keep_newest") != 0)
		return api_refuse(e, "a filter has no %.64s", key);
	w->filter.has_keep = true;
	return json_view_u64(v, &w->filter.keep_newest) < 0 ? api_refuse(e, "keep_newest is no number") : 0;
}

static int read_filter(struct wish *w, struct json_view v, struct err *e)
{
	w->filtered = true;
	if (api_members(v, "filter", read_filter_member, w, e) < 0)
		return -1;
	if (!w->filter.pattern && !w->filter.has_older && !w->filter.has_keep)
		return api_refuse(e, "a filter without a condition would be for all tags: pattern \"*\" says that");
	return 0;
}

static int read_member(void *arg, const char *key, struct json_view v, struct err *e)
{
	struct wish *w = arg;

	if (strcmp(key, "tags") == 0)
		return read_tags(w, v, e);
	if (strcmp(key, "filter") == 0)
		return read_filter(w, v, e);
	if (strcmp(key, "token") == 0)
		return api_text(v, "token", BODY_MAX, &w->token, e);
	if (strcmp(key, "after") == 0)
		return api_text(v, "after", TAG_MAX_LEN, &w->after, e);
	if (strcmp(key, "dry_run") != 0)
		return api_refuse(e, "there is no %.64s", key);
	w->dry_run = v.kind == JSON_BOOL && *v.s == 't';
	return v.kind == JSON_BOOL ? 0 : api_refuse(e, "dry_run is true or false");
}

static int find(struct exchange *x, struct wish *w, struct untag_found *f, struct err *e)
{
	if (w->listed + w->filtered + (w->token.len > 0) != 1 || (w->token.len && w->dry_run))
		return api_refuse(e, "give one of tags, filter and token; dry_run is for the first two");
	if (w->listed)
		return reg_untag_list(x->reg, &x->name, &w->tags, w->after.buf, f, e);
	if (w->filtered)
		return reg_untag_filter(x->reg, &x->name, &w->filter, w->after.buf, f, e);
	if (reg_untag_parse(&x->name, w->token.buf, w->token.len, w->after.buf, &f->goes) < 0)
		return api_refuse(e, "the token is none of this repository");
	return 0;
}

static void put_list(struct str *out, const char *key, const struct untag_list *l, const char *why)
{
	json_put_key(out, key);
	str_addc(out, '[');
	for (size_t i = 0; i < l->count; i++) {
		const struct untag_entry *t = &l->v[i];

		json_put_key(out, NULL);
		str_addc(out, '{');
		json_put_word(out, "tag", t->tag.s);
		if (t->digest.text[0])
			json_put_word(out, "digest", t->digest.text);
		if (t->why)
			json_put_word(out, why, t->why);
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

static void put_tags(struct str *out, const char *key, const struct untag_list *l)
{
	json_put_key(out, key);
	str_addc(out, '[');
	for (size_t i = 0; i < l->count; i++)
		json_put_word(out, NULL, l->v[i].tag.s);
	str_addc(out, ']');
}

static void put_end(struct exchange *x, const struct untag_found *f)
{
	put_list(&x->rs.body, "stays", &f->stays, "why");
	if (f->next.len)
		json_put_word(&x->rs.body, "next", f->next.buf);
	str_puts(&x->rs.body, "}\n");
	response_header(&x->rs, "Cache-Control", "no-store");
}

static int try_it(struct exchange *x, const struct untag_found *f, struct err *e)
{
	cleanup_str struct str token = STR_INIT;
	struct untag_frees frees;
	struct str *out = &x->rs.body;

	if (untag_frees(x->reg, &x->name, &f->goes, &frees, e) < 0) {
		untag_list_release(&frees.kept);
		return -1;
	}
	reg_untag_token(&x->name, &f->goes, &token);
	response_json(&x->rs, 200);
	str_addc(out, '{');
	put_list(out, "tags", &f->goes, "why");
	if (frees.known) {
		put_list(out, "kept_content", &frees.kept, "by");
		json_put_u64(out, "frees", frees.bytes);
	}
	json_put_bool(out, "untagged", rules_untagged(x->reg->cfg, &x->name));
	json_put_word(out, "token", token.buf);
	put_end(x, f);
	untag_list_release(&frees.kept);
	return 0;
}

static int do_it(struct exchange *x, struct untag_found *f, struct err *e)
{
	cleanup_untag_list struct untag_list deleted = UNTAG_LIST_INIT, changed = UNTAG_LIST_INIT;

	int rc = reg_untag(x->reg, &x->name, f, &deleted, &changed, e);

	for (size_t i = 0; i < deleted.count; i++)
		guard_did(x, "delete", &deleted.v[i].tag, &deleted.v[i].digest);
	if (rc < 0)
		return -1;
	response_json(&x->rs, deleted.count ? 202 : 200);
	str_addc(&x->rs.body, '{');
	put_tags(&x->rs.body, "deleted", &deleted);
	put_tags(&x->rs.body, "changed", &changed);
	put_end(x, f);
	return 0;
}

int api_tags_delete(struct exchange *x, struct err *e)
{
	cleanup_untag_found struct untag_found f = UNTAG_FOUND_INIT;
	cleanup_wish struct wish w = WISH_INIT;
	cleanup_str struct str body = STR_INIT;

	if (api_body(x, BODY_MAX, &body, read_member, &w, e) < 0 || find(x, &w, &f, e) < 0)
		return -1;
	return w.dry_run ? try_it(x, &f, e) : do_it(x, &f, e);
}
