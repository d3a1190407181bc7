/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_ref: finds the mirrored repository that a client's name of an image means.
 *
 * Owns nothing. Knows nothing of what is here.
 */
#include "cmd/cache_ref.h"

#include <string.h>

#include "conf/upstream.h"

#define TEXT_MAX 1024
#define LIBRARY "library/"              /* where Docker Hub has the images whose names are one word */

/* Whether [upstream's name]/s is a repository of an upstream. */
static bool place(const struct config *c, const struct config_upstream *under, const char *s, struct name *n)
{
	cleanup_str struct str full = STR_INIT;
	const struct config_upstream *u;
	const char *there;

	if (under && under->name[0])
		str_addf(&full, "%s/", under->name);
	str_puts(&full, s);
	if (name_parse(n, full.buf, full.len) < 0)
		return false;
	u = upstream_of(c, n, &there);
	if (!u || !*there)
		return false;
	if (!upstream_is_hub(u) || strchr(there, '/'))
		return true;
	str_cut(&full, (size_t)(there - n->s));
	str_addf(&full, LIBRARY "%s", there);
	return name_parse(n, full.buf, full.len) == 0;
}

static const struct config_upstream *hub(const struct config *c)
{
	for (size_t i = 0; i < c->nupstreams; i++)
		if (upstream_is_hub(&c->upstreams[i]))
			return &c->upstreams[i];
	return NULL;
}

/* Whether clients take a name's first component for a registry. */
static bool is_registry(const char *first)
{
	return strpbrk(first, ".:") || strcmp(first, "localhost") == 0;
}

static bool find(const struct config *c, const char *s, struct name *n)
{
	cleanup_str struct str first = STR_INIT;
	const char *slash = strchr(s, '/');
	const struct config_upstream *u = NULL;

	if (!c->nupstreams)
		return false;
	if (slash)
		str_add(&first, s, (size_t)(slash - s));
	if (c->upstreams[0].whole) {
		u = hub(c);
		return place(c, NULL, u && strcmp(first.buf, "docker.io") == 0 ? slash + 1 : s, n);
	}
	if (place(c, NULL, s, n))
		return true;
	if (slash && upstream_space(c, first.buf, NULL, &u) == 0 && u)
		return place(c, u, slash + 1, n);
	if (slash && upstream_space(c, NULL, first.buf, &u) == 0)
		return place(c, u, slash + 1, n);
	u = hub(c);
	return u && !is_registry(first.buf) && place(c, u, s, n);
}

/* Takes a digest or a tag off the end of the text. */
static bool take_ref(struct str *s, struct cache_ref *out)
{
	char *at = strchr(s->buf, '@'), *slash, *colon;
	bool digest = at != NULL;

	if (digest && digest_parse(&out->ref.digest, at + 1, strlen(at + 1)) < 0)
		return false;
	if (digest)
		str_cut(s, (size_t)(at - s->buf));
	slash = strrchr(s->buf, '/');
	colon = strrchr(slash ? slash : s->buf, ':');
	out->named = digest || colon;
	out->ref.kind = digest ? REF_DIGEST : REF_TAG;
	if (!digest && tag_parse(&out->ref.tag, colon ? colon + 1 : "latest", colon ? strlen(colon + 1) : 6) < 0)
		return false;
	if (colon)
		str_cut(s, (size_t)(colon - s->buf));
	return true;
}

int cache_ref_parse(const struct config *c, const char *text, struct cache_ref *out, struct err *e)
{
	cleanup_str struct str s = STR_INIT, shown = STR_INIT;
	const struct config_upstream *u;
	const char *there;

	memset(out, 0, sizeof(*out));
	str_add_shown(&shown, text, strlen(text), 150);
	s.max = TEXT_MAX;
	str_puts(&s, text);
	if (s.over || !take_ref(&s, out))
		return err_set(e, ERR_NAME_INVALID, "\"%s\" is no image", shown.buf);
	if (!find(c, s.buf, &out->n))
		return err_set(e, ERR_NAME_UNKNOWN, "\"%s\" is of no upstream in the configuration", shown.buf);
	u = upstream_of(c, &out->n, &there);
	if (!upstream_allows(u, there))
		return err_set(e, ERR_NAME_UNKNOWN, "\"%s\" is not mirrored: its upstream has \"allow\"", shown.buf);
	return 0;
}

void cache_ref_text(const struct cache_ref *r, struct str *out)
{
	str_addf(out, "%s%c%s", r->n.s, r->ref.kind == REF_TAG ? ':' : '@', ref_text(&r->ref));
}
