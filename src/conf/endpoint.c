/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: what an endpoint may have, and which events are for it.
 *
 * Owns the words of "actions". Knows no file of configuration: endpoints reads berth.conf, moved_notify what registry:2 has.
 */
#include "conf/endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/pattern.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define BLOB_TYPE "application/octet-stream"

#define BIT(action) (1u << (action))
#define PUSH (BIT(EVENT_PUSH) | BIT(EVENT_MOVE))
#define DELETE (BIT(EVENT_DELETE) | BIT(EVENT_UNTAG) | BIT(EVENT_REMOVE))
#define ALL ((BIT(EVENT_ACTIONS) - 1) & ~BIT(EVENT_LOST))

/* What includes others comes before them: so a list of words is as short as it can be. */
static const struct {
	const char *word;
	unsigned actions;
} words[] = {
	{ "all", ALL }, { "push", PUSH }, { "delete", DELETE }, { "move", BIT(EVENT_MOVE) }, { "untag", BIT(EVENT_UNTAG) },
	{ "remove", BIT(EVENT_REMOVE) }, { "rename", BIT(EVENT_RENAME) }, { "mount", BIT(EVENT_MOUNT) }, { "blob_push", BIT(EVENT_BLOB_PUSH) },
	{ "blob_delete", BIT(EVENT_BLOB_DELETE) }, { "pull", BIT(EVENT_PULL) }, { "quota", BIT(EVENT_QUOTA) },
};

const char *const endpoint_formats[ENDPOINT_FORMATS] = { [ENDPOINT_REGISTRY] = "registry", [ENDPOINT_CLOUDEVENTS] = "cloudevents" };

int endpoint_action_add(const char *word, unsigned *actions)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		*actions |= words[i].actions;
		return 0;
	}
	return -1;
}

void endpoint_actions_list(unsigned actions, struct str *out)
{
	unsigned left = actions;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if ((actions & words[i].actions) != words[i].actions || !(left & words[i].actions))
			continue;
		str_addf(out, "%s\"%s\"", left == actions ? "" : ", ", words[i].word);
		left &= ~words[i].actions;
	}
}

void endpoint_init(struct config_endpoint *ep, const char *where)
{
	*ep = (struct config_endpoint){
		.name = xstrdup(""), .url = xstrdup(""), .actions = PUSH | DELETE, .secret_file = xstrdup(""), .ca = xstrdup(""),
		.timeout = 5, .backoff = 1, .backoff_max = 600, .give_up = 7 * 24 * 3600, .where = xstrdup(where),
	};
}

void endpoint_release(struct config_endpoint *ep)
{
	for (size_t i = 0; i < ep->nheaders; i++) {
		free(ep->headers[i].name);
		free(ep->headers[i].value);
		free(ep->headers[i].file);
	}
	free(ep->headers);
	free(ep->name);
	free(ep->url);
	free(ep->secret_file);
	free(ep->ca);
	free(ep->where);
	names_release(&ep->repos);
	names_release(&ep->media_types);
	names_release(&ep->ignored_media_types);
	names_release(&ep->hosts);
	*ep = (struct config_endpoint){ 0 };
}

static bool matches(const struct names *patterns, const struct name *n)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (pattern_match(patterns->v[i], n->s, n->len))
			return true;
	return false;
}

static bool has(const struct names *types, const char *type)
{
	for (size_t i = 0; i < types->count; i++)
		if (strcmp(types->v[i], type) == 0)
			return true;
	return false;
}

/* The media type of what an event is about; "" if it says none. Only manifests have one in the journal. */
static const char *type_of(const struct event_line *ev, struct str *buf)
{
	struct json_view v = json_view_get(ev->json, "media_type");

	if (v.kind == JSON_STRING) {
		json_view_text(v, buf);
		return buf->buf;
	}
	return ev->action == EVENT_BLOB_PUSH || ev->action == EVENT_MOUNT || ev->action == EVENT_PULL ? BLOB_TYPE : "";
}

bool endpoint_concerns(const struct config_endpoint *ep, const struct event_line *ev)
{
	cleanup_str struct str buf = STR_INIT;
	const char *type;

	if (ev->action == EVENT_LOST)
		return true;
	if (!(ep->actions & BIT(ev->action)))
		return false;
	if (ep->repos.count && !matches(&ep->repos, &ev->repository) && !(ev->action == EVENT_RENAME && matches(&ep->repos, &ev->from)))
		return false;
	if (!ep->media_types.count && !ep->ignored_media_types.count)
		return true;
	type = type_of(ev, &buf);
	if (!type[0])
		return true;
	return (!ep->media_types.count || has(&ep->media_types, type)) && !has(&ep->ignored_media_types, type);
}

/* The length of "http://" or "https://"; 0 without. */
static size_t scheme_len(const char *url)
{
	return strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
}

/* Where the host begins: behind the name and password of a user. */
static const char *host_of(const char *url)
{
	const char *begin = url + scheme_len(url), *end = begin + strcspn(begin, "/?"), *at = end;

	while (at > begin && at[-1] != '@')
		at--;
	return at;
}

void endpoint_show_url(const struct config_endpoint *ep, struct str *out)
{
	const char *user = ep->url + scheme_len(ep->url), *host = host_of(ep->url), *colon = memchr(user, ':', (size_t)(host - user));

	if (colon) {
		str_add(out, ep->url, (size_t)(colon - ep->url));
		str_puts(out, ":***@");
		str_puts(out, host);
	} else {
		str_puts(out, ep->url);
	}
}

bool endpoint_name_ok(const char *s)
{
	static const char *const others[] = { ".ask", ".dead", ".new", ".tmp" };
	size_t len = strlen(s);

	if (len == 0 || len > ENDPOINT_NAME_MAX || !strchr(ALNUM, s[0]) || strspn(s, ALNUM "._-") != len || strcmp(s, "lock") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		size_t n = strlen(others[i]);

		if (len >= n && strcmp(s + len - n, others[i]) == 0)
			return false;
	}
	return true;
}

bool endpoint_url_ok(const char *s)
{
	size_t len = strlen(s);

	if (!scheme_len(s) || len > ENDPOINT_URL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f || strchr("\"\\<>^`{|}#", s[i]))
			return false;
	return host_of(s)[0] && !strchr("/?:", host_of(s)[0]);
}

bool endpoint_header_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 128 && strspn(s, ALNUM "!#$%&'*+-.^_`|~") == len;
}

bool endpoint_header_own(const char *s)
{
	static const char *const own[] = { "Connection", "Content-Length", "Content-Type", "Expect", "Host", "TE", "Trailer", "Transfer-Encoding",
					   "Upgrade" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (strcasecmp(s, own[i]) == 0)
			return true;
	return strncasecmp(s, "Berth-", 6) == 0 || strncasecmp(s, "X-Berth-", 8) == 0;
}

bool endpoint_value_ok(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > ENDPOINT_VALUE_MAX || s[0] == ' ' || s[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}
