/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams: the lists of a configuration that say what is cached, and the lists as text.
 *
 * Owns both lists. Knows nothing of the forms in which files have them: see upstreams_read and moved_proxy.
 */
#include "conf/upstreams.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/lists.h"

#define LIST UPSTREAMS_KEY
#define HUB_REALM "auth.docker.io"
#define MINUTE UINT64_C(60)
#define DAY (UINT64_C(24) * 60 * MINUTE)

static void release(struct config_upstream *u)
{
	names_release(&u->urls);
	names_release(&u->hosts);
	names_release(&u->realms);
	names_release(&u->redirects);
	names_release(&u->allow);
	names_release(&u->platforms);
	if (u->password)
		explicit_bzero(u->password, strlen(u->password));
	free(u->name);
	free(u->user);
	free(u->password_file);
	free(u->password);
	free(u->ca);
	free(u->where);
}

void upstreams_begin(struct config *c, const char *where)
{
	for (size_t i = 0; i < c->nupstreams; i++)
		release(&c->upstreams[i]);
	c->nupstreams = 0;
	free(c->upstreams_where);
	c->upstreams_where = xstrdup(where);
}

struct config_upstream *upstreams_add(struct config *c, const char *where)
{
	struct config_upstream *u;

	if (c->nupstreams == UPSTREAMS_MAX)
		return NULL;
	c->upstreams = xreallocarray(c->upstreams, c->nupstreams + 1, sizeof(*c->upstreams));
	u = &c->upstreams[c->nupstreams++];
	*u = (struct config_upstream){
		.name = xstrdup(""), .user = xstrdup(""), .password_file = xstrdup(""), .password = xstrdup(""), .ca = xstrdup(""),
		.fresh = 10 * MINUTE, .stale = 30 * DAY, .missing = MINUTE, .finish = true, .where = xstrdup(where),
	};
	return u;
}

void upstreams_known_realm(struct config_upstream *u)
{
	if (upstream_is_hub(u) && !u->realms.count)
		names_add(&u->realms, HUB_REALM, strlen(HUB_REALM));
}

void upstreams_release(struct config *c)
{
	for (size_t i = 0; i < c->nupstreams; i++)
		release(&c->upstreams[i]);
	free(c->upstreams);
	free(c->upstreams_where);
	names_release(&c->own);
	free(c->own_where);
}

static bool has(const struct names *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

static void twice(const struct config_upstream *u, const char *text, const char *what, struct str *msg, int *rc)
{
	str_addf(msg, "%s%s: \"%s\" is in \"" LIST ".hosts\", and %s; a request for it can be for one name space only",
		 msg->len ? "\n" : "", u->where, text, what);
	*rc = -1;
}

void upstreams_check(const struct config *c, struct str *msg, int *rc)
{
	for (size_t i = 0; i < c->nupstreams; i++) {
		const struct config_upstream *u = &c->upstreams[i];

		for (size_t j = 0; j < u->hosts.count; j++) {
			if (has(&c->own, u->hosts.v[j]))
				twice(u, u->hosts.v[j], "in \"" UPSTREAMS_OWN_KEY "\"", msg, rc);
			for (size_t k = 0; k < i; k++)
				if (has(&c->upstreams[k].hosts, u->hosts.v[j]))
					twice(u, u->hosts.v[j], "in that of another upstream", msg, rc);
		}
		if (has(&c->own, u->name)) {
			str_addf(msg, "%s%s: \"%s\" is in \"" UPSTREAMS_OWN_KEY "\", and the name of an upstream",
				 msg->len ? "\n" : "", u->where, u->name);
			*rc = -1;
		}
	}
}

int upstreams_check_files(const struct config *c, struct str *msg)
{
	int rc = 0;

	for (size_t i = 0; i < c->nupstreams; i++) {
		const struct config_upstream *u = &c->upstreams[i];

		if (lists_check_file(u->where, LIST ".password_file", u->password_file, msg) < 0)
			rc = -1;
		if (lists_check_file(u->where, LIST ".ca", u->ca, msg) < 0)
			rc = -1;
	}
	return rc;
}

static void show_text(struct str *out, const char *name, const char *text)
{
	str_addf(out, "%s = ", name);
	lists_show_text(out, text);
	str_puts(out, "; ");
}

/* A password that is not in a file is one of registry:2's settings, and not shown. */
static void show(const struct config_upstream *u, struct str *out)
{
	str_puts(out, "{ ");
	show_text(out, "name", u->name);
	lists_show_texts(out, "urls", &u->urls);
	lists_show_texts(out, "hosts", &u->hosts);
	lists_show_texts(out, "realms", &u->realms);
	lists_show_texts(out, "redirects", &u->redirects);
	show_text(out, "user", u->user);
	show_text(out, "password_file", u->password_file);
	if (u->password[0])
		show_text(out, "password", "***");
	str_addf(out, "fresh = \"%llus\"; stale = \"%llus\"; missing = \"%llus\"; ", (unsigned long long)u->fresh, (unsigned long long)u->stale,
		 (unsigned long long)u->missing);
	lists_show_texts(out, "allow", &u->allow);
	lists_show_texts(out, "platforms", &u->platforms);
	show_text(out, "ca", u->ca);
	str_addf(out, "finish = %s; }", u->finish ? "true" : "false");
}

void upstreams_show(const struct config *c, struct str *out)
{
	str_puts(out, LIST " = ");
	if (c->upstreams_where && !c->nupstreams)
		str_puts(out, "( )");
	for (size_t i = 0; i < c->nupstreams; i++) {
		str_puts(out, i ? ", " : "( ");
		show(&c->upstreams[i], out);
	}
	str_puts(out, c->nupstreams ? " )\n" : "\n");
}

void upstreams_show_own(const struct config *c, struct str *out)
{
	if (!c->own_where) {
		str_puts(out, UPSTREAMS_OWN_KEY " = \n");
		return;
	}
	lists_show_texts(out, UPSTREAMS_OWN_KEY, &c->own);
	str_cut(out, out->len - 2);
	str_addc(out, '\n');
}

void upstreams_given(const struct config *c, struct str *out)
{
	if (c->upstreams_where)
		str_puts(out, LIST "\n");
	if (c->own_where)
		str_puts(out, UPSTREAMS_OWN_KEY "\n");
}
