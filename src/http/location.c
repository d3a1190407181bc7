/* SPDX-License-Identifier: Apache-2.0 */
/*
 * location: composes URLs by the configuration and the request.
 *
 * Owns the decision whether a URL is absolute. Invariant: from the request, only a valid host gets into a URL, and a scheme
 * only from the web server, a trusted proxy, or a client that has evidently come without a proxy.
 */
#include "http/location.h"

#include <string.h>

#include "base/mem.h"
#include "base/network.h"

/* The scheme, as static text; NULL if it is another word. */
static const char *scheme_of(const char *s)
{
	return !s ? NULL : strcmp(s, "http") == 0 ? "http" : strcmp(s, "https") == 0 ? "https" : NULL;
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool is_proxied(const struct request *rq)
{
	for (char *const *p = rq->params; *p; p++)
		if (starts(*p, "HTTP_X_FORWARDED_") || starts(*p, "HTTP_FORWARDED=") || starts(*p, "HTTP_VIA="))
			return true;
	return false;
}

/* Whether a proxy whose X-Forwarded-Host is not believed names another host, which may be right. */
static bool names_other_host(const struct request *rq, const char *host)
{
	cleanup_str struct str said = STR_INIT;

	return request_header(rq, "HTTP_X_FORWARDED_HOST", &said) && strcmp(said.buf, host) != 0;
}

/* Whether a proxy that is not trusted says something else than the web server, which may be right. */
static bool contradicted(const struct request *rq, const char *scheme, const char *host)
{
	cleanup_str struct str said = STR_INIT;

	if (request_param(rq, "HTTP_FORWARDED"))
		return true;
	if (request_header(rq, "HTTP_X_FORWARDED_PROTO", &said) && strcmp(said.buf, scheme) != 0)
		return true;
	return names_other_host(rq, host);
}

static const char *own_scheme(const struct exchange *x)
{
	return scheme_of(request_param(&x->rq, "REQUEST_SCHEME"));
}

/* The scheme that one of auth.token.proxies names. */
static const char *proxy_scheme(const struct exchange *x)
{
	cleanup_str struct str said = STR_INIT;

	if (!network_list_has(x->reg->cfg->auth.token.proxies, x->rq.remote))
		return NULL;
	request_header(&x->rq, "HTTP_X_FORWARDED_PROTO", &said);
	return scheme_of(said.buf);
}

const char *location_scheme(const struct exchange *x)
{
	const char *said = scheme_of(request_param(&x->rq, "BERTH_FORWARDED_PROTO"));

	if (!said)
		said = proxy_scheme(x);
	if (!said)
		said = own_scheme(x);
	return said ? said : "http";
}

bool location_host(const struct exchange *x, struct str *out)
{
	const char *named = request_param(&x->rq, "BERTH_FORWARDED_HOST");

	str_reset(out);
	if (network_host_ok(named))
		str_puts(out, named);
	else
		request_header(&x->rq, "HTTP_HOST", out);
	return network_host_ok(out->buf);
}

/* The scheme of the URL that the client has used, if it is known together with the host; else NULL. */
static const char *known_scheme(const struct exchange *x, const char *host)
{
	const char *said = scheme_of(request_param(&x->rq, "BERTH_FORWARDED_PROTO")), *own = own_scheme(x);
	bool proxied = is_proxied(&x->rq);

	if (said)
		return said;
	said = proxy_scheme(x);
	if (said)
		return names_other_host(&x->rq, host) ? NULL : said;
	if (!own || (proxied && contradicted(&x->rq, own, host)))
		return NULL;
	return strcmp(own, "https") == 0 || (!proxied && network_host_direct(host)) ? own : NULL;
}

/* The URL before http.prefix; nothing where a path has to do. */
static void add_base(struct exchange *x, enum config_relative relative, struct str *out)
{
	const struct config *cfg = x->reg->cfg;
	cleanup_str struct str host = STR_INIT;
	const char *scheme;

	if (relative == RELATIVE_ON)
		return;
	if (cfg->host[0]) {
		str_puts(out, cfg->host);
		return;
	}
	if (!location_host(x, &host))
		return;
	scheme = relative == RELATIVE_OFF ? location_scheme(x) : known_scheme(x, host.buf);
	if (scheme)
		str_addf(out, "%s://%s", scheme, host.buf);
}

void location_base(struct exchange *x, struct str *out)
{
	add_base(x, RELATIVE_OFF, out);
	str_puts(out, x->reg->cfg->prefix);
}

void location_set(struct exchange *x, const char *fmt, ...)
{
	cleanup_str struct str url = STR_INIT;
	va_list ap;

	add_base(x, x->reg->cfg->relative, &url);
	str_puts(&url, x->reg->cfg->prefix);
	va_start(ap, fmt);
	str_vaddf(&url, fmt, ap);
	va_end(ap);
	response_header(&x->rs, "Location", "%s", url.buf);
}

int location_unprefix(struct exchange *x, struct err *e)
{
	struct str *path = &x->rq.path;
	size_t len = strlen(x->reg->cfg->prefix);

	if (!len)
		return 0;
	if (path->len <= len || memcmp(path->buf, x->reg->cfg->prefix, len) != 0 || path->buf[len] != '/')
		return err_set(e, ERR_NAME_UNKNOWN, "there is nothing at this path");
	memmove(path->buf, path->buf + len, path->len - len + 1);
	path->len -= len;
	if (x->rq.slashes && x->rq.first_slash < len)
		return err_set(e, ERR_NAME_UNKNOWN, "there is nothing at this path");
	x->rq.first_slash -= x->rq.slashes ? len : 0;
	x->rq.last_slash -= x->rq.slashes ? len : 0;
	return 0;
}
