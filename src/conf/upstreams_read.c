/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams_read: "upstreams" and "own" in the configuration file.
 *
 * Owns the form of the lists there. Invariant: each upstream of a file without faults has a name of its own that a repository may have, a URL, and
 * values within their limits. A part of `upstreams`.
 */
#include "conf/upstreams.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/platform.h"
#include "base/ref.h"
#include "conf/lists.h"
#include "conf/web.h"

#define LIST UPSTREAMS_KEY
#define EXAMPLE "{ name = \"docker.io\"; urls = [ \"https://registry-1.docker.io\" ]; }"

/* The longest name leaves room for that of a repository. */
#define UPSTREAM_NAME_MAX 128

static bool name_ok(const char *s)
{
	struct name n;

	return strlen(s) <= UPSTREAM_NAME_MAX && name_parse(&n, s, strlen(s)) == 0;
}

static bool url_ok(const char *s)
{
	return *s && web_host_ok(s);
}

/* A request's Host is compared without its port. */
static bool own_host_ok(const char *s)
{
	const char *colon = strchr(s, ':');

	return lists_host_ok(s) && (!colon || strchr(s, ']'));
}

/* It goes into Basic, where a colon ends it. */
static bool user_ok(const char *s)
{
	if (strlen(s) > 256)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == ':')
			return false;
	return true;
}

#define AT(member) offsetof(struct config_upstream, member)

static const struct list_member members[] = {
	{ "name", LIST_TEXT, AT(name), name_ok, 0, 0,
	  "a text in quotes of at most 128 bytes that may be the name of a repository, such as \"docker.io\"", NULL },
	{ "urls", LIST_TEXTS, AT(urls), url_ok, 0, 0, "URLs such as \"https://registry-1.docker.io\", with http or https and without query", NULL },
	{ "hosts", LIST_TEXTS, AT(hosts), own_host_ok, 0, 0,
	  "names of hosts such as \"hub-mirror.example\", in small letters and without a port", NULL },
	{ "realms", LIST_TEXTS, AT(realms), lists_host_ok, 0, 0, "names of hosts such as \"auth.example\", in small letters", NULL },
	{ "redirects", LIST_TEXTS, AT(redirects), lists_host_ok, 0, 0, "names of hosts such as \"blobs.example\", in small letters", NULL },
	{ "user", LIST_TEXT, AT(user), user_ok, 0, 0, "a text in quotes of at most 256 bytes, without a colon", NULL },
	{ "password_file", LIST_TEXT, AT(password_file), lists_file_ok, 0, 0, "an absolute path in quotes, or \"\"", NULL },
	{ "fresh", LIST_DURATION, AT(fresh), NULL, 0, UPSTREAM_TIME_MAX, "a duration in quotes such as \"10m\", at most \"3660d\"", NULL },
	{ "stale", LIST_DURATION, AT(stale), NULL, 0, UPSTREAM_TIME_MAX, "a duration in quotes such as \"30d\", at most \"3660d\"", NULL },
	{ "missing", LIST_DURATION, AT(missing), NULL, 0, UPSTREAM_MISSING_MAX, "a duration in quotes such as \"1m\", at most \"24h\"", NULL },
	{ "allow", LIST_TEXTS, AT(allow), lists_pattern_ok, 0, 0, "patterns of names such as \"library/**\"", NULL },
	{ "platforms", LIST_TEXTS, AT(platforms), platform_ok, 0, 0, "platforms such as \"linux/amd64\"", NULL },
	{ "ca", LIST_TEXT, AT(ca), lists_file_ok, 0, 0, "an absolute path in quotes, or \"\"", NULL },
	{ "finish", LIST_BOOL, AT(finish), NULL, 0, 0, NULL, NULL },
};

/* URLs without a slash at the end: a path is added to them. */
static void trim_urls(struct config_upstream *u)
{
	for (size_t i = 0; i < u->urls.count; i++)
		u->urls.v[i][web_trim(u->urls.v[i])] = '\0';
}

static void check_name(const struct config *c, const struct config_upstream *u, bool given, struct faults *f, unsigned line)
{
	if (!given)
		str_puts(fault(f, line), "an upstream needs a name: " EXAMPLE);
	for (size_t i = 0; u->name[0] && i < c->nupstreams; i++)
		if (&c->upstreams[i] != u && strcmp(c->upstreams[i].name, u->name) == 0)
			str_addf(fault(f, line), "there is another upstream named \"%s\"; give each a name of its own", u->name);
}

static void read_upstream(void *arg, const config_setting_t *s, struct faults *f)
{
	struct config *c = arg;
	cleanup_str struct str where = STR_INIT;
	unsigned line = config_setting_source_line(s);
	struct config_upstream *u;

	str_addf(&where, "%s:%u", f->file, line);
	u = upstreams_add(c, where.buf);
	if (!u) {
		str_addf(fault(f, line), "\"" LIST "\" may hold %d upstreams", UPSTREAMS_MAX);
		return;
	}
	for (int i = 0; i < config_setting_length(s); i++)
		lists_member(u, members, ARRAY_LEN(members), LIST, config_setting_get_elem(s, (unsigned)i), f);
	check_name(c, u, config_setting_get_member(s, "name") != NULL, f, line);
	if (!config_setting_get_member(s, "urls") || (!u->urls.count && !config_setting_length(config_setting_get_member(s, "urls"))))
		str_puts(fault(f, line), "an upstream needs urls: " EXAMPLE);
	if (u->urls.count > UPSTREAM_URLS_MAX)
		str_addf(fault(f, line), "\"" LIST ".urls\" may hold %d URLs", UPSTREAM_URLS_MAX);
	if (!u->user[0] != !u->password_file[0])
		str_puts(fault(f, line), "a login needs both \"" LIST ".user\" and \"" LIST ".password_file\"");
	trim_urls(u);
	upstreams_known_realm(u);
}

static void read_own(struct config *c, const config_setting_t *s, const char *where, struct faults *f)
{
	names_release(&c->own);
	c->own = (struct names)NAMES_INIT;
	free(c->own_where);
	c->own_where = xstrdup(where);
	lists_texts(&c->own, s, UPSTREAMS_OWN_KEY, lists_host_ok, "names of hosts such as \"registry.example\", in small letters", f);
}

bool upstreams_read(struct config *c, const char *name, const config_setting_t *s, struct faults *f)
{
	cleanup_str struct str where = STR_INIT;

	str_addf(&where, "%s:%u", f->file, config_setting_source_line(s));
	if (strcmp(name, UPSTREAMS_OWN_KEY) == 0) {
		read_own(c, s, where.buf, f);
		return true;
	}
	if (strcmp(name, LIST) != 0)
		return false;
	upstreams_begin(c, where.buf);
	lists_each(s, LIST, read_upstream, c, f);
	return true;
}
