/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints: the list of endpoints of a configuration, and the list as text.
 *
 * Owns the list. Knows nothing of deliveries, and of the forms in which files have it: see endpoints_read and moved_notify.
 */
#include "conf/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/lists.h"

#define LIST ENDPOINTS_KEY

void endpoints_begin(struct config *c, const char *where)
{
	for (size_t i = 0; i < c->nendpoints; i++)
		endpoint_release(&c->endpoints[i]);
	c->nendpoints = 0;
	free(c->endpoints_where);
	c->endpoints_where = xstrdup(where);
}

struct config_endpoint *endpoints_add(struct config *c, const char *where)
{
	struct config_endpoint *ep;

	if (c->nendpoints == ENDPOINTS_MAX)
		return NULL;
	c->endpoints = xreallocarray(c->endpoints, c->nendpoints + 1, sizeof(*c->endpoints));
	ep = &c->endpoints[c->nendpoints++];
	endpoint_init(ep, where);
	return ep;
}

const struct config_endpoint *endpoints_named(const struct config *c, const char *name, const struct config_endpoint *but)
{
	for (size_t i = 0; i < c->nendpoints; i++)
		if (&c->endpoints[i] != but && strcmp(c->endpoints[i].name, name) == 0)
			return &c->endpoints[i];
	return NULL;
}

void endpoints_release(struct config *c)
{
	for (size_t i = 0; i < c->nendpoints; i++)
		endpoint_release(&c->endpoints[i]);
	free(c->endpoints);
	free(c->endpoints_where);
}

bool config_journal_on(const struct config *c)
{
	return c->journal.on || c->nendpoints;
}

bool config_journal_pulls(const struct config *c)
{
	for (size_t i = 0; i < c->nendpoints; i++)
		if (c->endpoints[i].actions & (1u << EVENT_PULL))
			return true;
	return false;
}

int endpoints_check_files(const struct config *c, struct str *msg)
{
	int rc = 0;

	for (size_t i = 0; i < c->nendpoints; i++) {
		const struct config_endpoint *ep = &c->endpoints[i];

		for (size_t j = 0; j < ep->nheaders; j++)
			if (lists_check_file(ep->where, LIST ".headers", ep->headers[j].file, msg) < 0)
				rc = -1;
		if (lists_check_file(ep->where, LIST ".secret_file", ep->secret_file, msg) < 0)
			rc = -1;
		if (lists_check_file(ep->where, LIST ".ca", ep->ca, msg) < 0)
			rc = -1;
	}
	return rc;
}

/* The value of a header is a secret in most cases: its place is shown, and not itself. */
static void show_headers(const struct config_endpoint *ep, struct str *out)
{
	str_puts(out, "; headers = (");
	for (size_t i = 0; i < ep->nheaders; i++) {
		str_puts(out, i ? ", { name = " : " { name = ");
		lists_show_text(out, ep->headers[i].name);
		str_puts(out, ep->headers[i].file ? "; file = " : "; value = ");
		lists_show_text(out, ep->headers[i].file ? ep->headers[i].file : "***");
		str_puts(out, "; }");
	}
	str_puts(out, " ); ");
}

static void show(const struct config_endpoint *ep, struct str *out)
{
	cleanup_str struct str url = STR_INIT;

	str_puts(out, "{ name = ");
	lists_show_text(out, ep->name);
	str_puts(out, "; url = ");
	endpoint_show_url(ep, &url);
	lists_show_text(out, url.buf);
	show_headers(ep, out);
	str_addf(out, "format = \"%s\"; actions = [ ", endpoint_formats[ep->format]);
	endpoint_actions_list(ep->actions, out);
	str_puts(out, " ]; ");
	lists_show_texts(out, "repos", &ep->repos);
	lists_show_texts(out, "media_types", &ep->media_types);
	lists_show_texts(out, "ignored_media_types", &ep->ignored_media_types);
	str_puts(out, "secret_file = ");
	lists_show_text(out, ep->secret_file);
	str_puts(out, "; ca = ");
	lists_show_text(out, ep->ca);
	str_puts(out, "; ");
	lists_show_texts(out, "hosts", &ep->hosts);
	str_addf(out, "timeout = \"%llus\"; backoff = \"%llus\"; backoff_max = \"%llus\"; give_up = \"%llus\"; }", (unsigned long long)ep->timeout,
		 (unsigned long long)ep->backoff, (unsigned long long)ep->backoff_max, (unsigned long long)ep->give_up);
}

void endpoints_show(const struct config *c, struct str *out)
{
	str_puts(out, LIST " = ");
	if (c->endpoints_where && !c->nendpoints)
		str_puts(out, "( )");
	for (size_t i = 0; i < c->nendpoints; i++) {
		str_puts(out, i ? ", " : "( ");
		show(&c->endpoints[i], out);
	}
	str_puts(out, c->nendpoints ? " )\n" : "\n");
}

void endpoints_given(const struct config *c, struct str *out)
{
	if (c->endpoints_where)
		str_puts(out, LIST "\n");
}
