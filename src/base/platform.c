/* SPDX-License-Identifier: Apache-2.0 */
/* platform: the text of a platform, and its parts in JSON. Owns nothing. */
#include "base/platform.h"

#include <string.h>

#include "base/mem.h"

#define MAX 127                 /* bytes */

bool platform_ok(const char *s)
{
	unsigned parts = 0;

	if (strlen(s) > MAX)
		return false;
	for (;; s++) {
		size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

		if (!len)
			return false;
		parts++;
		s += len;
		if (*s != '/')
			return !*s && (parts == 2 || parts == 3);
	}
}

bool platform_is(struct json_view o, const char *platform)
{
	static const char *const parts[] = { "os", "architecture", "variant" };
	cleanup_str struct str text = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct json_view v = json_view_get(o, parts[i]);

		if (v.kind != JSON_STRING)
			return false;
		if (i)
			str_addc(&text, '/');
		json_view_text(v, &text);
		if (i && strcmp(text.buf, platform) == 0)
			return true;
	}
	return false;
}
