/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cookie: reads and writes the cookie of a session.
 *
 * Owns its name and its attributes. Knows nothing of what it means: auth does.
 */
#include "http/cookie.h"

#include <string.h>

#include "http/location.h"

static bool is_https(const struct exchange *x)
{
	return strcmp(location_scheme(x), "https") == 0;
}

static int name_of(const struct exchange *x, struct str *name, struct err *e)
{
	char tag[AUTH_SESSION_TAG_LEN + 1];
	int found = auth_session_tag(x->auth, x->reg->st, tag, e);

	str_reset(name);
	str_addf(name, "%s-%s", is_https(x) ? "__Host-berth" : "berth", tag);
	return found;
}

int cookie_values(const struct exchange *x, struct str *out, struct err *e)
{
	cleanup_str struct str all = STR_SECRET, name = STR_INIT;
	const char *p, *end;
	int found;

	str_reset(out);
	if (!request_header(&x->rq, "HTTP_COOKIE", &all))
		return 0;
	found = name_of(x, &name, e);
	if (found < 1)
		return found;
	for (p = all.buf; *p; p = *end ? end + 1 : end) {
		const char *value;
		size_t len;

		p += strspn(p, " ");
		end = strchrnul(p, ';');
		if ((size_t)(end - p) <= name.len || strncmp(p, name.buf, name.len) != 0 || p[name.len] != '=')
			continue;
		value = p + name.len + 1;
		len = (size_t)(end - value);
		if (!len || len > AUTH_SESSION_MAX)
			continue;
		if (out->len)
			str_addc(out, '\n');
		str_add(out, value, len);
	}
	return out->len > 0;
}

int cookie_set(struct exchange *x, const char *value, struct err *e)
{
	cleanup_str struct str name = STR_INIT;
	int found = name_of(x, &name, e);

	if (found < 1)
		return found;
	x->rs.head.secret = x->rs.body.secret = true;   /* wiped after they are sent */
	response_header(&x->rs, "Set-Cookie", "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", name.buf, value,
			*value ? AUTH_SESSION_SECONDS : 0, is_https(x) ? "; Secure" : "");
	return 0;
}
