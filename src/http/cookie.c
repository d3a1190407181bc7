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

static const char *name_of(const struct exchange *x)
{
	return is_https(x) ? "__Host-berth" : "berth";
}

bool cookie_find(const struct exchange *x, struct str *out)
{
	cleanup_str struct str all = STR_SECRET;
	const char *name = name_of(x), *p, *end;
	size_t name_len = strlen(name);
	bool found = false;

	str_reset(out);
	if (!request_header(&x->rq, "HTTP_COOKIE", &all))
		return false;
	for (p = all.buf; *p; p = *end ? end + 1 : end) {
		const char *value;
		size_t len;

		p += strspn(p, " ");
		end = strchrnul(p, ';');
		if ((size_t)(end - p) <= name_len || strncmp(p, name, name_len) != 0 || p[name_len] != '=')
			continue;
		value = p + name_len + 1;
		len = (size_t)(end - value);
		if (len > AUTH_SESSION_MAX || (found && (len != out->len || memcmp(value, out->buf, len) != 0)))
			return false;
		if (!found)
			str_add(out, value, len);
		found = true;
	}
	return found;
}

void cookie_set(struct exchange *x, const char *value)
{
	x->rs.head.secret = x->rs.body.secret = true;   /* wiped after they are sent */
	response_header(&x->rs, "Set-Cookie", "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", name_of(x), value,
			*value ? AUTH_SESSION_SECONDS : 0, is_https(x) ? "; Secure" : "");
}
