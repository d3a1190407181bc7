/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moved_notify: from registry:2's notifications.endpoints to berth's "notifications".
 *
 * Owns which events those endpoints get: all of pushes, pulls, mounts and deletes, of manifests and blobs, but for what they ignore. A
 * part of `moved`.
 */
#include "conf/moved.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/endpoints.h"

#define PATH "notifications.endpoints"

/* What registry:2 calls by one word, in the words of berth. Without "ignore" it sends all of it. */
static const struct {
	const char *word;
	const char *actions[3];
} sent[] = {
	{ "push", { "push", "blob_push" } }, { "pull", { "pull" } }, { "mount", { "mount" } }, { "delete", { "delete", "blob_delete" } },
};

static unsigned actions_of(size_t i)
{
	unsigned actions = 0;

	for (size_t j = 0; sent[i].actions[j]; j++)
		endpoint_action_add(sent[i].actions[j], &actions);
	return actions;
}

static void wants(struct moved_work *w, const struct node *n, const char *member, const char *what)
{
	cleanup_str struct str path = STR_INIT;

	str_addf(&path, PATH ".%s", member);
	str_addf(moved_fault(w, n, path.buf), "must be %s", what);
}

static void warn(struct moved_work *w, const struct node *n, const char *member, const char *what)
{
	cleanup_str struct str path = STR_INIT;

	str_addf(&path, PATH ".%s", member);
	moved_warn(w, n, path.buf, what);
}

static void set_name(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	if (n->kind != NODE_TEXT || !endpoint_name_ok(n->text)) {
		wants(w, n, "name",
		      "a text of at most 64 letters, digits, '.', '_' and '-', a letter or digit first: a file of berth's has this name");
		return;
	}
	free(ep->name);
	ep->name = xstrdup(n->text);
	if (endpoints_named(w->c, ep->name, ep))
		wants(w, n, "name", "another one than that of the other endpoints: a file of berth's has this name");
}

static void set_url(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	if (n->kind != NODE_TEXT || !endpoint_url_ok(n->text)) {
		wants(w, n, "url", "a URL with http or https, such as https://ci.example/hook");
		return;
	}
	free(ep->url);
	ep->url = xstrdup(n->text);
}

static void add_header(struct moved_work *w, struct config_endpoint *ep, const char *name, const struct node *value)
{
	struct endpoint_header *h;

	if (value->kind == NODE_NULL || (value->kind == NODE_TEXT && !value->text[0]))
		return;
	if (value->kind != NODE_TEXT || !endpoint_value_ok(value->text) || ep->nheaders == ENDPOINT_HEADERS_MAX) {
		wants(w, value, "headers", "a map of at most 32 headers, each with a list of texts of 1 to 4096 bytes without control characters");
		return;
	}
	ep->headers = xreallocarray(ep->headers, ep->nheaders + 1, sizeof(*ep->headers));
	h = &ep->headers[ep->nheaders++];
	*h = (struct endpoint_header){ .name = xstrdup(name), .value = xstrdup(value->text) };
}

/* A header with its value, or, as Go has it, with a list of values. */
static void set_headers(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	const struct node *header = n->kind == NODE_MAP ? n->child : NULL;

	if (n->kind != NODE_MAP)
		wants(w, n, "headers", "a map of headers, each with a list of texts");
	for (; header; header = header->next) {
		if (!endpoint_header_ok(header->name)) {
			wants(w, header, "headers", "a map of headers with names such as Authorization");
			continue;
		}
		if (endpoint_header_own(header->name)) {
			warn(w, header, "headers", "has no effect for a header that berth sets itself");
			continue;
		}
		if (header->kind == NODE_TEXT)
			add_header(w, ep, header->name, header);
		for (const struct node *value = header->child; value; value = value->next)
			add_header(w, ep, header->name, value);
	}
}

/* As for registry:2 zero means the default. */
static void set_duration(struct moved_work *w, const struct node *n, const char *member, uint64_t *at, uint64_t max)
{
	cleanup_str struct str what = STR_INIT;
	uint64_t seconds;
	bool rounded;

	if (n->kind != NODE_TEXT || moved_duration(n->text, &seconds, &rounded) < 0) {
		wants(w, n, member, "a duration such as 500ms or 1m30s");
		return;
	}
	if (!seconds)
		return;
	*at = seconds < max ? seconds : max;
	if (seconds <= max && !rounded)
		return;
	str_addf(&what, "is %llus: %s", (unsigned long long)*at, seconds > max ? "berth has no longer one" : "berth has whole seconds");
	warn(w, n, member, what.buf);
}

static void set_timeout(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	set_duration(w, n, "timeout", &ep->timeout, ENDPOINT_TIMEOUT_MAX);
}

static void set_backoff(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	set_duration(w, n, "backoff", &ep->backoff, ENDPOINT_BACKOFF_MAX);
	if (ep->backoff_max < ep->backoff)
		ep->backoff_max = ep->backoff;
}

static void set_threshold(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	const char *text = n->kind == NODE_TEXT ? n->text : "";

	(void)ep;
	text += *text == '-';
	if (!*text || strspn(text, "0123456789") != strlen(text))
		wants(w, n, "threshold", "a whole number");
}

static void set_types(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	if (n->kind != NODE_LIST && n->kind != NODE_MAP)
		wants(w, n, "ignoredmediatypes", "a list of media types");
	for (const struct node *one = n->child; one; one = one->next) {
		if (one->kind == NODE_TEXT && one->text[0] && !strpbrk(one->text, "\r\n\t\"\\"))
			names_add(&ep->ignored_media_types, one->text, strlen(one->text));
		else
			wants(w, one, "ignoredmediatypes", "a list of media types");
	}
}

static void ignore_action(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	for (size_t i = 0; n->kind == NODE_TEXT && i < ARRAY_LEN(sent); i++) {
		if (strcmp(n->text, sent[i].word) != 0)
			continue;
		ep->actions &= ~actions_of(i);
		return;
	}
	wants(w, n, "ignore.actions", "a list of push, pull, mount and delete");
}

static void ignore_actions(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	if (n->kind == NODE_TEXT)
		wants(w, n, "ignore.actions", "a list of push, pull, mount and delete");
	for (const struct node *one = n->child; one; one = one->next)
		ignore_action(w, ep, one);
}

static void set_ignore(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	const struct node *m = n->kind == NODE_MAP ? n->child : NULL;

	if (n->kind != NODE_MAP)
		wants(w, n, "ignore", "a map of mediatypes and actions");
	for (; m; m = m->next) {
		if (m->kind == NODE_NULL)
			continue;
		if (strcmp(m->name, "mediatypes") == 0)
			set_types(w, ep, m);
		else if (strcmp(m->name, "actions") == 0)
			ignore_actions(w, ep, m);
		else
			warn(w, m, "ignore", "has no effect for a member that is neither mediatypes nor actions");
	}
}

static void set_nothing(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	(void)w;
	(void)ep;
	(void)n;
}

static void set_member(struct moved_work *w, struct config_endpoint *ep, const struct node *n)
{
	static const struct {
		const char *name;
		void (*set)(struct moved_work *w, struct config_endpoint *ep, const struct node *n);
	} members[] = {
		{ "name", set_name }, { "url", set_url }, { "headers", set_headers }, { "timeout", set_timeout }, { "threshold", set_threshold },
		{ "backoff", set_backoff }, { "ignoredmediatypes", set_types }, { "ignore", set_ignore }, { "disabled", set_nothing },
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (strcmp(members[i].name, n->name) != 0)
			continue;
		if (n->kind != NODE_NULL)
			members[i].set(w, ep, n);
		return;
	}
	warn(w, n, n->name, "has no effect: there is no such setting");
}

/* Whether registry:2 would use it. */
static bool enabled(struct moved_work *w, const struct node *n)
{
	const struct node *disabled = node_member(n, "disabled");
	bool off = false;

	if (disabled && disabled->kind != NODE_NULL && moved_parse_bool(disabled, &off) < 0)
		wants(w, disabled, "disabled", "true or false");
	return !off;
}

static void add_endpoint(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str where = STR_INIT;
	struct config_endpoint *ep;

	if (n->kind == NODE_NULL || (n->kind == NODE_MAP && !enabled(w, n)))
		return;
	node_where(n, &where);
	ep = n->kind == NODE_MAP ? endpoints_add(w->c, where.buf) : NULL;
	if (!ep) {
		str_addf(moved_fault(w, n, m->path), "must be a list of at most %d endpoints: { name: ..., url: ... }", ENDPOINTS_MAX);
		return;
	}
	ep->actions = 0;
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		ep->actions |= actions_of(i);
	for (const struct node *member = n->child; member; member = member->next)
		set_member(w, ep, member);
	if (!node_member(n, "name"))
		str_puts(moved_fault(w, n, m->path), "needs a name for each endpoint");
	if (!node_member(n, "url"))
		str_puts(moved_fault(w, n, m->path), "needs a url for each endpoint");
}

/* By variables, one by one, the elements of the list have their numbers as names. */
static bool is_list(const struct node *n)
{
	if (n->kind == NODE_LIST)
		return true;
	for (const struct node *child = n->child; child; child = child->next)
		if (!child->name[0] || strspn(child->name, "0123456789") != strlen(child->name))
			return false;
	return n->kind == NODE_MAP;
}

void moved_endpoints(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str where = STR_INIT;

	if (!is_list(n)) {
		str_puts(moved_fault(w, n, m->path), "must be a list of endpoints: [{ name: ..., url: ... }]");
		return;
	}
	node_where(n, &where);
	endpoints_begin(w->c, where.buf);
	for (const struct node *child = n->child; child; child = child->next)
		add_endpoint(w, m, child);
}
