/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web: checks the texts of settings that go into headers and into nginx's configuration.
 *
 * Owns the characters that these may have. A part of `key`.
 */
#include "conf/web.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define WEB_MAX 512
#define HEADERS_MAX 4096
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Segments that are neither empty nor "." or "..", each after a slash; the last may be empty. */
static bool segments_ok(const char *s)
{
	while (*s) {
		size_t len;

		if (*s++ != '/')
			return false;
		len = strspn(s, ALNUM "._~-");
		if ((len == 0 && *s) || (len == 1 && *s == '.') || (len == 2 && strncmp(s, "..", 2) == 0))
			return false;
		s += len;
	}
	return true;
}

bool web_host_ok(const char *text)
{
	size_t head = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
	size_t host = head ? strspn(text + head, ALNUM ".-_:[]") : 0;

	return !*text || (host && strlen(text) <= WEB_MAX && segments_ok(text + head + host));
}

bool web_prefix_ok(const char *text)
{
	return strlen(text) <= WEB_MAX && segments_ok(text);
}

/* Names, or beginnings of names, of headers that have another origin than this setting. */
static const char *const own[] = {
	"Access-Control-", "Accept-Ranges", "Allow", "Cache-Control", "Connection", "Content-", "Date", "Docker-", "ETag", "Keep-Alive",
	"Last-Modified", "Link", "Location", "OCI-", "Range", "Retry-After", "Server", "Status", "Trailer", "Transfer-Encoding",
	"Upgrade", "Vary", "WWW-Authenticate", "X-Accel-", "X-Berth-", "X-Content-Type-Options",
};

static bool is_own(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		size_t n = strlen(own[i]);

		if (strncasecmp(name, own[i], n) == 0 && (len == n || own[i][n - 1] == '-'))
			return true;
	}
	return false;
}

/* "Name: value" of len bytes. In nginx's strings $ begins a variable, and cannot be escaped. */
static bool header_ok(const char *s, size_t len)
{
	size_t name = strspn(s, ALNUM "-_"), i;

	if (!name || name + 2 >= len || s[name] != ':' || s[name + 1] != ' ' || is_own(s, name))
		return false;
	for (i = name + 2; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e || strchr("\"\\$", s[i]))
			return false;
	return s[name + 2] != ' ' && s[len - 1] != ' ';
}

bool web_headers_ok(const char *text)
{
	if (strlen(text) > HEADERS_MAX)
		return false;
	while (*text) {
		size_t len = strcspn(text, "|");

		if (!header_ok(text, len) || (text[len] && !text[len + 1]))
			return false;
		text += len + (text[len] == '|');
	}
	return true;
}

size_t web_trim(const char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '/')
		len--;
	return len;
}
