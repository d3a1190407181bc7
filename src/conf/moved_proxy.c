/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moved_proxy: from registry:2's proxy to berth's "upstreams".
 *
 * Owns what a registry with proxy.remoteurl is: the mirror of that one upstream as a whole. A part of `moved`.
 */
#include "conf/moved.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/upstreams.h"
#include "conf/web.h"

#define PATH "proxy"

/* A text that goes with proxy.remoteurl, from the variables or the file; "": there is none. Borrowed. */
static const char *text_of(const struct moved_work *w, const char *path)
{
	const struct node *n = moved_setting(w, path);

	return n && n->kind == NODE_TEXT ? n->text : "";
}

/* A login that registry:2 takes from a variable may belong to a URL of the file, so both are looked up wherever they are. */
void moved_remote(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str where = STR_INIT;
	struct config_upstream *u;

	if (n->kind == NODE_TEXT && !n->text[0])
		return;
	if (n->kind != NODE_TEXT || !web_host_ok(n->text)) {
		str_puts(moved_fault(w, n, m->path),
			 "must be a URL such as https://registry-1.docker.io, with http or https and without user and query");
		return;
	}
	node_where(n, &where);
	upstreams_begin(w->c, where.buf);
	u = upstreams_add(w->c, where.buf);
	u->whole = true;
	names_add(&u->urls, n->text, web_trim(n->text));
	free(u->user);
	u->user = xstrdup(text_of(w, PATH ".username"));
	free(u->password);
	u->password = xstrdup(text_of(w, PATH ".password"));
	upstreams_known_realm(u);
}

/* The login is taken together with the URL; here only its form is looked at. */
void moved_remote_login(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (n->kind != NODE_TEXT || strpbrk(n->text, "\r\n"))
		str_puts(moved_fault(w, n, m->path),
			 "must be a text of one line");
	else if (strcmp(m->path, PATH ".username") == 0 && strchr(n->text, ':'))
		str_puts(moved_fault(w, n, m->path),
			 "must be a text without a colon");
}
