/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: checking, setting and showing the value of a setting.
 *
 * Owns the types of settings. Knows nothing of files, lines or variables. Invariant: a struct config whose members were
 * all set by key has only values that key_wants() describes.
 */

#include "conf/key.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/network.h"
#include "base/time.h"
#include "conf/web.h"

static const struct unit {
	const char *name;
	unsigned shift;
} units[] = { { "TiB", 40 }, { "GiB", 30 }, { "MiB", 20 }, { "KiB", 10 }, { "B", 0 }, { "", 0 } };

int config_parse_size(const char *text, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;
	uint64_t n;

	*out = 0;
	if (str_parse_u64(text, digits, &n) < 0)
		return -1;
	unit += strspn(unit, " ");
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (n > (uint64_t)KEY_SIZE_MAX >> units[i].shift)
			return -1;
		*out = n << units[i].shift;
		return 0;
	}
	return -1;
}

/* member - the member of a key; the type of the key determines its C type */
static void *member(struct config *c, const struct key *k)
{
	return (char *)c + k->off;
}

static const void *member_const(const struct config *c, const struct key *k)
{
	return (const char *)c + k->off;
}

static int replace_text(struct config *c, const struct key *k, const char *text, size_t len)
{
	char **at = member(c, k);

	free(*at);
	*at = xstrndup(text, len);
	return 0;
}

static int set_path(struct config *c, const struct key *k, const char *text)
{
	size_t len = strlen(text);

	if (text[0] != '/' && !(k->type == KEY_FILE && len == 0))
		return -1;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return -1;
	while (len > 1 && text[len - 1] == '/')
		len--;
	return replace_text(c, k, text, len);
}

#define REALM_MAX 128
#define URL_MAX 512

/* A text that is sent in a header, between quotes. */
static int set_quotable(struct config *c, const struct key *k, const char *text, size_t max)
{
	size_t len = strlen(text);

	if ((len == 0 && k->type == KEY_REALM) || len > max)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] == 0x7f || text[i] == '"' || text[i] == '\\')
			return -1;
	return replace_text(c, k, text, len);
}

/* One origin as a browser sends it (RFC 6454, 6.2): scheme, host and port only; safe in nginx's configuration. */
static bool is_origin(const char *s, size_t len)
{
	size_t head = strncmp(s, "https://", 8) == 0 ? 8 : strncmp(s, "http://", 7) == 0 ? 7 : 0;

	return head && len > head && strspn(s + head, "abcdefghijklmnopqrstuvwxyz0123456789.:-[]") >= len - head;
}

static int set_url(struct config *c, const struct key *k, const char *text)
{
	size_t head = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;

	if (*text && (!head || !text[head] || strchr(text, ' ')))
		return -1;
	return set_quotable(c, k, text, URL_MAX);
}

static int set_networks(struct config *c, const struct key *k, const char *text)
{
	return network_list_ok(text) ? replace_text(c, k, text, strlen(text)) : -1;
}

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* "HOST:PORT", "[IPv6]:PORT", ":PORT" or "unix:/path": what nginx and the scripts before it can be given. */
static int set_address(struct config *c, const struct key *k, const char *text)
{
	const char *host = text, *port = strrchr(text, ':');
	size_t len = port ? (size_t)(port - text) : 0, digits = port ? strspn(port + 1, "0123456789") : 0;
	uint64_t n;

	if (!*text)
		return replace_text(c, k, text, 0);
	if (strncmp(text, "unix:/", 6) == 0)
		return strspn(text + 5, NAME_CHARS "/._+@=,~-") == strlen(text + 5) ? replace_text(c, k, text, strlen(text)) : -1;
	if (!port || port[1 + digits] || str_parse_u64(port + 1, digits, &n) < 0 || n < 1 || n > 65535)
		return -1;
	if (*host == '[' && (len < 3 || strspn(host + 1, "0123456789abcdefABCDEF:.") != len - 2 || host[len - 1] != ']'))
		return -1;
	if (*host != '[' && strspn(host, NAME_CHARS ".-") != len)
		return -1;
	return replace_text(c, k, text, strlen(text));
}

/* Absolute paths without control characters. nginx/render, which puts the files into one, splits them at the commas. */
static int set_files(struct config *c, const struct key *k, const char *text)
{
	for (const char *s = text; *s; s += *s == ',') {
		size_t len = strcspn(s, ",");

		if (*s != '/' || (s[len] == ',' && !s[len + 1]))
			return -1;
		s += len;
	}
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return -1;
	return replace_text(c, k, text, strlen(text));
}

#define FIELDS_MAX 512

/* The fields that berth itself gives each line (base/log.h). */
static bool is_own_field(const char *name, size_t len)
{
	static const char *const own[] = { "time", "level", "event", "pid", "message" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (strlen(own[i]) == len && strncmp(own[i], name, len) == 0)
			return true;
	return false;
}

/* A name needs no escape in JSON; a value is escaped when it is written. */
static int set_fields(struct config *c, const struct key *k, const char *text)
{
	const char *s = text;

	if (strlen(text) > FIELDS_MAX)
		return -1;
	while (*s) {
		size_t name = strspn(s, NAME_CHARS "._-"), len = strcspn(s, ",");

		if (name == 0 || s[name] != '=' || is_own_field(s, name) || (s[len] == ',' && !s[len + 1]))
			return -1;
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
				return -1;
		s += len + (s[len] == ',');
	}
	return replace_text(c, k, text, strlen(text));
}

static int set_location(struct config *c, const struct key *k, const char *text)
{
	if (*text != '/' || strspn(text, NAME_CHARS "/._-") != strlen(text) || strlen(text) > REALM_MAX)
		return -1;
	return replace_text(c, k, text, strlen(text));
}

static int set_origins(struct config *c, const struct key *k, const char *text)
{
	const char *s = text;

	while (*s && strcmp(text, "*") != 0) {
		size_t len = strcspn(s, ",");

		if (!is_origin(s, len) || (s[len] == ',' && !s[len + 1]))
			return -1;
		s += len + (s[len] == ',');
	}
	return replace_text(c, k, text, strlen(text));
}

static int set_word(struct config *c, const struct key *k, const char *text)
{
	for (unsigned i = 0; k->words[i]; i++) {
		if (strcmp(k->words[i], text) != 0)
			continue;
		if (k->type == KEY_FLAG)
			*(bool *)member(c, k) = i != 0;
		else
			memcpy(member(c, k), &i, sizeof(i));    /* gcc represents an enum without negative values as unsigned */
		return 0;
	}
	return -1;
}

int key_set_bool(struct config *c, const struct key *k, bool value)
{
	if (k->type != KEY_BOOL)
		return -1;
	*(bool *)member(c, k) = value;
	return 0;
}

int key_set_number(struct config *c, const struct key *k, int64_t number)
{
	if (number < 0 || (uint64_t)number < k->min || (uint64_t)number > k->max)
		return -1;
	if (k->type == KEY_COUNT)
		*(unsigned *)member(c, k) = (unsigned)number;
	else if (k->type == KEY_SIZE || k->type == KEY_DURATION)
		*(uint64_t *)member(c, k) = (uint64_t)number;
	else
		return -1;
	return 0;
}

int key_set_string(struct config *c, const struct key *k, const char *text)
{
	uint64_t n;

	switch (k->type) {
	case KEY_ADDRESS:
		return set_address(c, k, text);
	case KEY_FILES:
		return set_files(c, k, text);
	case KEY_FIELDS:
		return set_fields(c, k, text);
	case KEY_LOCATION:
		return set_location(c, k, text);
	case KEY_ORIGINS:
		return set_origins(c, k, text);
	case KEY_PATH:
	case KEY_FILE:
		return set_path(c, k, text);
	case KEY_REALM:
	case KEY_TEXT:
		return set_quotable(c, k, text, REALM_MAX);
	case KEY_HOST:
		return web_host_ok(text) ? replace_text(c, k, text, web_trim(text)) : -1;
	case KEY_PREFIX:
		return web_prefix_ok(text) ? replace_text(c, k, text, web_trim(text)) : -1;
	case KEY_HEADERS:
		return web_headers_ok(text) ? replace_text(c, k, text, strlen(text)) : -1;
	case KEY_URL:
		return set_url(c, k, text);
	case KEY_NETWORKS:
		return set_networks(c, k, text);
	case KEY_FLAG:
	case KEY_WORD:
		return set_word(c, k, text);
	case KEY_SIZE:
		return config_parse_size(text, &n) < 0 ? -1 : key_set_number(c, k, (int64_t)n);
	case KEY_DURATION:
		return time_parse_duration(text, &n) < 0 || n > k->max ? -1 : key_set_number(c, k, (int64_t)n);
	case KEY_COUNT:
	case KEY_BOOL:
		break;
	}
	return -1;
}

int key_set_text(struct config *c, const struct key *k, const char *text)
{
	uint64_t n;

	if (k->type == KEY_BOOL && strcmp(text, "true") == 0)
		return key_set_bool(c, k, true);
	if (k->type == KEY_BOOL && strcmp(text, "false") == 0)
		return key_set_bool(c, k, false);
	if (k->type == KEY_COUNT)
		return str_parse_u64(text, strlen(text), &n) < 0 || n > k->max ? -1 : key_set_number(c, k, (int64_t)n);
	return key_set_string(c, k, text);
}

/* add_size - in the biggest unit that divides it */
static void add_size(struct str *out, uint64_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		uint64_t unit = UINT64_C(1) << units[i].shift;

		if (size >= unit && size % unit == 0) {
			str_addf(out, "%llu %s", (unsigned long long)(size / unit), units[i].name);
			return;
		}
	}
	str_puts(out, "0");
}

static void add_words(struct str *out, const char *const *words)
{
	for (unsigned i = 0; words[i]; i++) {
		if (i > 0)
			str_puts(out, words[i + 1] ? ", " : " or ");
		str_addf(out, "\"%s\"", words[i]);
	}
}

/* What a value must be, where it depends on the type alone. */
static const char *const wants[] = {
	[KEY_ADDRESS] = "an address to listen on in quotes such as \":5000\", \"127.0.0.1:5000\", \"[::1]:5000\" or \"unix:/path\", or \"\"",
	[KEY_FILES] = "absolute paths in quotes, separated by commas, or \"\"",
	[KEY_FIELDS] = "a text in quotes such as \"service=registry,environment=staging\" of at most 512 bytes, or \"\"",
	[KEY_LOCATION] = "a path in quotes such as \"/metrics\"",
	[KEY_ORIGINS] = "origins separated by commas such as \"https://a.example,http://b.example:8080\", \"*\" or \"\"",
	[KEY_PATH] = "an absolute path in quotes",
	[KEY_FILE] = "an absolute path in quotes, or \"\"",
	[KEY_HOST] = "a URL of scheme, host and port in quotes such as \"https://registry.example\", or \"\"",
	[KEY_PREFIX] = "a path in quotes such as \"/registry\", of letters, digits, \".\", \"_\", \"~\" and \"-\", or \"\"",
	[KEY_HEADERS] = "headers that berth does not set itself, in quotes, such as \"X-A: b|X-C: d\", without \\ and $, or \"\"",
	[KEY_URL] = "a URL in quotes such as \"https://registry.example/v2/token\", or \"\"",
	[KEY_NETWORKS] = "addresses and networks in quotes, separated by commas, such as \"10.0.0.0/8,::1\", or \"\"",
	[KEY_BOOL] = "true or false",
	[KEY_DURATION] = "a duration in quotes such as \"24h\", \"30m\" or \"7d\"",
};

void key_wants(const struct key *k, struct str *out)
{
	str_puts(out, "must be ");
	switch (k->type) {
	case KEY_REALM:
		str_addf(out, "a text in quotes of 1 to %d ASCII characters, without control characters, \" and \\", REALM_MAX);
		break;
	case KEY_TEXT:
		str_addf(out, "a text in quotes of at most %d ASCII characters, without control characters, \" and \\", REALM_MAX);
		break;
	case KEY_COUNT:
		str_addf(out, "a whole number from %llu to %llu", (unsigned long long)k->min, (unsigned long long)k->max);
		break;
	case KEY_FLAG:
	case KEY_WORD:
		add_words(out, k->words);
		break;
	case KEY_SIZE:
		str_puts(out, "a size in quotes such as \"4 MiB\"");
		if (k->max == KEY_SIZE_MAX)
			break;
		str_puts(out, ", from ");
		add_size(out, k->min);
		str_puts(out, " to ");
		add_size(out, k->max);
		break;
	default:
		str_puts(out, wants[k->type]);
		break;
	}
}

void key_get(const struct config *c, const struct key *k, struct str *out)
{
	const void *at = member_const(c, k);
	unsigned word;

	switch (k->type) {
	case KEY_ADDRESS:
	case KEY_FILES:
	case KEY_FIELDS:
	case KEY_LOCATION:
	case KEY_ORIGINS:
	case KEY_PATH:
	case KEY_FILE:
	case KEY_REALM:
	case KEY_TEXT:
	case KEY_HOST:
	case KEY_PREFIX:
	case KEY_HEADERS:
	case KEY_URL:
	case KEY_NETWORKS:
		str_puts(out, *(char *const *)at);
		break;
	case KEY_COUNT:
		str_addf(out, "%u", *(const unsigned *)at);
		break;
	case KEY_BOOL:
		str_puts(out, *(const bool *)at ? "true" : "false");
		break;
	case KEY_FLAG:
		str_puts(out, k->words[*(const bool *)at]);
		break;
	case KEY_WORD:
		memcpy(&word, at, sizeof(word));
		str_puts(out, k->words[word]);
		break;
	case KEY_SIZE:
	case KEY_DURATION:
		str_addf(out, "%llu", (unsigned long long)*(const uint64_t *)at);
		break;
	}
}
