/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin: looks at what only a browser says, and at what only a page of this registry can say.
 *
 * Owns nothing. Knows neither rights nor resources.
 */
#include "http/origin.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/location.h"

#define PAGE "page"

enum site { SITE_UNSAID, SITE_OWN, SITE_OTHER };

/* Whether an Origin, "https://host:port", has this scheme (NULL: either) and host. */
static bool is_at(const char *origin, const char *scheme, const char *host)
{
	static const char *const schemes[] = { "http", "https" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if ((!scheme || strcmp(scheme, schemes[i]) == 0) && strncmp(origin, schemes[i], len) == 0 && strncmp(origin + len, "://", 3) == 0)
			return strcasecmp(origin + len + 3, host) == 0;
	}
	return false;
}

/* Whether it begins http.host, which may have a path. */
static bool is_configured(const char *origin, const char *url)
{
	size_t len = strlen(origin);

	return len && strncasecmp(url, origin, len) == 0 && (url[len] == '\0' || url[len] == '/');
}

static bool is_own(const struct exchange *x, const char *origin)
{
	cleanup_str struct str host = STR_INIT;
	const char *scheme = location_scheme(x);

	if (is_configured(origin, x->reg->cfg->host))
		return true;
	/* "http" may be that of a proxy which ends TLS and does not say so. */
	return location_host(x, &host) && is_at(origin, strcmp(scheme, "https") == 0 ? scheme : NULL, host.buf);
}

/* Browsers say it by Sec-Fetch-Site where they trust the connection, and by Origin in each request that changes something. */
static enum site site_of(const struct exchange *x)
{
	cleanup_str struct str said = STR_INIT;

	if (request_header(&x->rq, "HTTP_SEC_FETCH_SITE", &said))
		return strcmp(said.buf, "same-origin") == 0 ? SITE_OWN : SITE_OTHER;
	if (request_header(&x->rq, "HTTP_ORIGIN", &said))
		return is_own(x, said.buf) ? SITE_OWN : SITE_OTHER;
	return SITE_UNSAID;
}

static int refuse(const char *why, struct err *e)
{
	err_set(e, ERR_DENIED, "%s", why);
	return err_plain(e);
}

int origin_check(const struct exchange *x, bool by_header, struct err *e)
{
	cleanup_str struct str said = STR_INIT;
	enum site site;

	if (!x->personal || x->rq.method == METHOD_GET || x->rq.method == METHOD_HEAD || x->rq.method == METHOD_OPTIONS)
		return 0;
	site = site_of(x);
	if (site == SITE_OTHER)
		return refuse("this change was asked for by a page of another origin", e);
	/* Nobody has said who it is, and no browser where it is: a program, of a registry that asks nobody. */
	if (by_header || (site == SITE_UNSAID && x->who.kind == IDENTITY_NOBODY))
		return 0;
	if (!request_header(&x->rq, "HTTP_BERTH_REQUEST", &said) || strcmp(said.buf, PAGE) != 0)
		return refuse("this change needs the header Berth-Request: " PAGE, e);
	if (site == SITE_UNSAID && x->who.session)
		return refuse("a change with a cookie needs the Origin of this registry", e);
	return 0;
}
