/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: one page to the next.
 *
 * Owns no state. Invariant: no host and no path of an upstream gets into a link.
 */
#include "relay/link.h"

#include <string.h>

#define KEY_MAX 32
#define QUERY_MAX 3072          /* bytes */
#define KEY_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool plain(const struct str *value)
{
	for (size_t i = 0; i < value->len; i++)
		if ((unsigned char)value->buf[i] < 0x20 || value->buf[i] == 0x7f)
			return false;
	return true;
}

/* "KEY=VALUE"; false if it is not to be passed on. */
static bool parameter(const char *p, size_t len, size_t *key_len, struct str *value)
{
	uint64_t n;

	str_reset(value);
	*key_len = strspn(p, KEY_BYTES);
	if (!*key_len || *key_len > KEY_MAX || *key_len >= len || p[*key_len] != '=')
		return false;
	if (str_add_urldec(value, p + *key_len + 1, len - *key_len - 1, false) < 0 || !plain(value))
		return false;
	return *key_len != 1 || *p != 'n' || str_parse_u64(value->buf, value->len, &n) == 0;
}

/* What may be passed on of [raw, end); space: gets ns, NULL: it is left out. */
static void add_query(const char *raw, const char *end, struct str *space, struct str *out)
{
	const char *p, *next;

	for (p = raw; p < end; p = next + 1) {
		cleanup_str struct str value = STR_INIT;
		size_t key_len, was = out->len;

		next = memchr(p, '&', (size_t)(end - p));
		if (!next)
			next = end;
		if (!parameter(p, (size_t)(next - p), &key_len, &value))
			continue;
		if (key_len == 2 && memcmp(p, "ns", 2) == 0) {
			if (space && !space->len)
				str_add_urlenc(space, value.buf, value.len);
			continue;
		}
		str_addf(out, "%s%.*s=", out->len ? "&" : "", (int)key_len, p);
		str_add_urlenc(out, value.buf, value.len);
		if (out->len > QUERY_MAX)
			str_cut(out, was);
	}
}

static bool path_ok(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || (unsigned char)*path >= 0x7f || strchr("<>\"?#", *path))
			return false;
	return true;
}

void link_own_set(struct link_own *own, const char *path, const char *query)
{
	if (path_ok(path))
		str_puts(&own->path, path);
	add_query(query, query + strlen(query), &own->space, &own->query);
}

void link_own_release(struct link_own *own)
{
	str_release(&own->path);
	str_release(&own->space);
	str_release(&own->query);
}

void link_add(const struct link_own *own, const char *theirs, struct str *headers)
{
	const char *end = theirs && *theirs == '<' ? strchr(theirs, '>') : NULL, *mark, *hash;
	cleanup_str struct str query = STR_INIT;

	if (!end || !strstr(end, "next") || !own->path.len)
		return;
	mark = memchr(theirs, '?', (size_t)(end - theirs));
	if (!mark)
		return;
	hash = memchr(mark, '#', (size_t)(end - mark));
	add_query(mark + 1, hash ? hash : end, NULL, &query);
	if (!query.len || strcmp(query.buf, own->query.buf) == 0)
		return;
	str_addf(headers, "Link: <%s?", own->path.buf);
	if (own->space.len)
		str_addf(headers, "ns=%s&", own->space.buf);
	str_addf(headers, "%s>; rel=\"next\"\r\n", query.buf);
}
