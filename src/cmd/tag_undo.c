/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth tag deleted, berth tag restore: prints what is remembered, and brings it back. Owns nothing.
 */
#include "cmd/tag_undo.h"

#include <stdio.h>
#include <string.h>

#include "base/json_put.h"
#include "base/time.h"
#include "registry/reg_undo.h"

#define USEC UINT64_C(1000000)

struct call {
	struct registry *r;
	bool json, force;
	struct name n;
	struct tag t;                   /* of length 0: none */
	bool has_digest;
	struct digest d;
};

static const char *const kinds[UNDO_KINDS] = { [UNDO_MOVED] = "moved", [UNDO_DELETED] = "deleted", [UNDO_MANIFEST] = "deleted" };

static int print(void *arg, const struct undo_mark *m, struct err *e)
{
	const struct timespec ts = { .tv_sec = (time_t)(m->usec / USEC), .tv_nsec = (long)(m->usec % USEC * 1000) };
	const struct call *c = arg;
	cleanup_str struct str by = STR_INIT, text = STR_INIT;
	char when[TIME_RFC3339_MAX];

	time_rfc3339(when, &ts, 0);
	if (!c->json) {
		printf("%s %s %s %s\n", when, m->tag.len ? m->tag.s : "-", m->digest.text, kinds[m->kind]);
		return 0;
	}
	if (undo_by(c->r->st, &c->n, m, &by, e) < 0)
		return -1;
	if (by.len)
		json_put_word(&text, "by", by.buf);
	printf("{\"kind\":\"%s\",\"repository\":\"%s\"", kinds[m->kind], c->n.s);
	if (m->tag.len)
		printf(",\"tag\":\"%s\"", m->tag.s);
	printf(",\"digest\":\"%s\",\"time\":\"%s\"%s%s}\n", m->digest.text, when, text.len ? "," : "", text.buf);
	return 0;
}

static int list(struct registry *r, void *arg, struct err *e)
{
	struct call *c = arg;

	c->r = r;
	return reg_undo_list(r, &c->n, print, arg, e);
}

int tag_undo_deleted(const struct cmd_options *o, const char *name, bool json)
{
	struct call c = { .json = json };

	return cmd_name(&c.n, name) < 0 ? CMD_USAGE : cmd_on_store(o, cmd_store_to_read, list, &c);
}

static int restore(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;
	struct digest d;

	r->force = c->force;
	if (reg_undo_restore(r, &c->n, c->t.len ? &c->t : NULL, c->has_digest ? &c->d : NULL, NULL, &d, e) < 0)
		return -1;
	if (c->t.len)
		printf("%s:%s points to %s\n", c->n.s, c->t.s, d.text);
	else
		printf("%s has %s\n", c->n.s, d.text);
	return CMD_DONE;
}

/* 0, or -1 after printing an error. */
static int parse(struct call *c, const char *what)
{
	const char *at = strchr(what, '@'), *end = at ? at : what + strlen(what), *colon = memchr(what, ':', (size_t)(end - what));

	if (name_parse(&c->n, what, (size_t)((colon ? colon : end) - what)) < 0 ||
	    (colon && tag_parse(&c->t, colon + 1, (size_t)(end - colon - 1)) < 0) || (!colon && !at) ||
	    (at && digest_parse(&c->d, at + 1, strlen(at + 1)) < 0)) {
		cmd_invalid(what, "REPOSITORY:TAG[@DIGEST], or REPOSITORY@DIGEST");
		return -1;
	}
	c->has_digest = at != NULL;
	return 0;
}

int tag_undo_restore(const struct cmd_options *o, const char *what, bool force)
{
	struct call c = { .force = force };

	return parse(&c, what) < 0 ? CMD_USAGE : cmd_on_store(o, cmd_store_to_push, restore, &c);
}
