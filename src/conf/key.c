/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: the table of settings.
 *
 * Owns what a setting may be. Knows nothing of files, lines or variables. Invariant: a struct config whose members
 * were all set through here holds only values that key_wants() describes.
 */

#include "conf/key.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/network.h"
#include "base/time.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define COUNT_MAX 1024          /* processes: beyond this it is a slip of the finger */
#define SIZE_LIMIT INT64_MAX    /* sizes become off_t */
#define DURATION_MAX (UINT64_C(3660) * 24 * 3600)       /* ten years: beyond it is a slip, too */
#define RATE_MAX 1000000

static const char *const fsync_words[] = { "off", "full", NULL };
static const char *const sparse_words[] = {
	[SPARSE_REFUSE] = "refuse", [SPARSE_INDEX] = "index", [SPARSE_ALL] = "all", NULL
};
static const char *const token_words[] = { [TOKENS_AUTO] = "auto", [TOKENS_ON] = "on", [TOKENS_OFF] = "off", NULL };
static const char *const algorithm_words[] = { "EdDSA", "ES256", NULL };
static const char *const level_words[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL
};

#define GOES_TO(member) .off = offsetof(struct config, member)

const struct key key_table[] = {
	{ "root", KEY_PATH, GOES_TO(root), .preset = "/var/lib/registry",
	  .help = "the directory that holds everything" },
	{ "workers", KEY_COUNT, GOES_TO(workers), .preset = "0", .max = COUNT_MAX,
	  .help = "processes that answer requests; 0: twice the cores, at least 4" },
	{ "write_workers", KEY_COUNT, GOES_TO(write_workers), .preset = "0", .max = COUNT_MAX,
	  .help = "processes that do short writes; 0: as many as workers" },
	{ "upload_workers", KEY_COUNT, GOES_TO(upload_workers), .preset = "0", .max = COUNT_MAX,
	  .help = "processes that hash uploads; 0: one a core, at least 2" },
	{ "delete", KEY_BOOL, GOES_TO(delete_enabled), .preset = "false",
	  .help = "whether clients may delete manifests, tags and blobs" },
	{ "readonly", KEY_BOOL, GOES_TO(readonly), .preset = "false",
	  .help = "whether every write is refused" },
	{ "fsync", KEY_FLAG, GOES_TO(fsync), .preset = "full", .words = fsync_words,
	  .help = "full: what was answered survives a power cut; off: faster, and it may not" },
	{ "manifests.sparse", KEY_WORD, GOES_TO(sparse), .preset = "refuse", .words = sparse_words,
	  .help = "what a manifest may lack: refuse: nothing; index: children of an index; all: anything" },
	{ "manifests.max_size", KEY_SIZE, GOES_TO(max_manifest), .preset = "4 MiB", .min = KIB, .max = 64 * MIB,
	  .help = "the biggest manifest that is taken" },
	{ "blobs.max_size", KEY_SIZE, GOES_TO(max_blob), .preset = "0", .max = SIZE_LIMIT,
	  .help = "the biggest blob that is taken; 0: no limit" },
	{ "http.cors", KEY_ORIGINS, GOES_TO(cors), .preset = "",
	  .help = "web pages of which origins may use the registry: \"https://a.example,https://b.example\", \"*\", or none" },
	{ "gc.every", KEY_DURATION, GOES_TO(gc_every), .preset = "0", .max = DURATION_MAX,
	  .help = "how long after one garbage collection berth-fcgi begins the next; 0: it begins none" },
	{ "gc.grace", KEY_DURATION, GOES_TO(gc_grace), .preset = "24h", .max = DURATION_MAX,
	  .help = "how old garbage has to be before it goes" },
	{ "gc.uploads", KEY_DURATION, GOES_TO(gc_uploads), .preset = "7d", .max = DURATION_MAX,
	  .help = "how long after its last byte an upload that nobody ended goes" },
	{ "gc.untagged", KEY_BOOL, GOES_TO(gc_untagged), .preset = "false",
	  .help = "whether manifests go, too, that no tag, no index and no subject keeps" },
	{ "gc.rate", KEY_COUNT, GOES_TO(gc_rate), .preset = "0", .max = RATE_MAX,
	  .help = "how many manifests, links and blobs a collection touches in a second; 0: as many as it can" },
	{ "auth.realm", KEY_REALM, GOES_TO(auth.realm), .preset = "berth",
	  .help = "what clients are told that they log in to" },
	{ "auth.htpasswd", KEY_FILE, GOES_TO(auth.htpasswd), .preset = "",
	  .help = "the file of users and hashes of passwords (bcrypt, yescrypt, sha512-crypt, sha256-crypt), or none" },
	{ "auth.robots", KEY_FILE, GOES_TO(auth.robots), .preset = "",
	  .help = "the file of accounts for machines, as `berth token add` writes it, or none" },
	{ "auth.remote_user", KEY_BOOL, GOES_TO(auth.remote_user), .preset = "false",
	  .help = "whether nginx says who the user is, by REMOTE_USER" },
	{ "auth.token.enabled", KEY_WORD, GOES_TO(auth.token.enabled), .preset = "auto", .words = token_words,
	  .help = "whether /v2/token gives tokens; auto: where a rule names \"@anonymous\"" },
	{ "auth.token.realm", KEY_URL, GOES_TO(auth.token.realm), .preset = "",
	  .help = "the URL of /v2/token that clients are told; none: from their request" },
	{ "auth.token.service", KEY_REALM, GOES_TO(auth.token.service), .preset = "berth",
	  .help = "the name of this registry in its tokens" },
	{ "auth.token.key", KEY_FILE, GOES_TO(auth.token.key), .preset = "",
	  .help = "the file of the key that signs tokens, made where there is none; \"\": berth/token.key below the root" },
	{ "auth.token.algorithm", KEY_FLAG, GOES_TO(auth.token.es256), .preset = "EdDSA", .words = algorithm_words,
	  .help = "which kind of key is made" },
	{ "auth.token.proxies", KEY_NETWORKS, GOES_TO(auth.token.proxies), .preset = "",
	  .help = "addresses and networks of proxies whose X-Forwarded-Proto is believed: \"10.0.0.0/8,::1\"" },
	{ "auth.foreign.realm", KEY_URL, GOES_TO(auth.foreign.realm), .preset = "",
	  .help = "the URL of a token service elsewhere, or none" },
	{ "auth.foreign.service", KEY_TEXT, GOES_TO(auth.foreign.service), .preset = "",
	  .help = "what it calls this registry: \"aud\" in its tokens" },
	{ "auth.foreign.issuer", KEY_TEXT, GOES_TO(auth.foreign.issuer), .preset = "",
	  .help = "what it calls itself: \"iss\" in its tokens" },
	{ "auth.foreign.bundle", KEY_FILE, GOES_TO(auth.foreign.bundle), .preset = "",
	  .help = "its keys: a file, or a directory of files, of certificates, which also vouch for others (x5c), or public keys" },
	{ "auth.foreign.jwks", KEY_FILE, GOES_TO(auth.foreign.jwks), .preset = "",
	  .help = "its keys: a JWK Set, or a directory of such files" },
	{ "log.level", KEY_WORD, GOES_TO(log_level), .preset = "info", .words = level_words,
	  .help = "what is logged: this level and those before it" },
};
const size_t key_count = ARRAY_LEN(key_table);

_Static_assert(ARRAY_LEN(key_table) <= 8 * sizeof(((struct config *)NULL)->given), "a bit for each setting that was given");

static const struct unit {
	const char *name;
	unsigned shift;
} units[] = { { "TiB", 40 }, { "GiB", 30 }, { "MiB", 20 }, { "KiB", 10 }, { "B", 0 }, { "", 0 } };

const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < key_count; i++)
		if (strcmp(key_table[i].name, name) == 0)
			return &key_table[i];
	return NULL;
}

bool key_is_group(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < key_count; i++)
		if (strncmp(key_table[i].name, name, len) == 0 && key_table[i].name[len] == '.')
			return true;
	return false;
}

void key_mark_given(struct config *c, const struct key *k)
{
	c->given |= UINT64_C(1) << (k - key_table);
}

int key_parse_size(const char *text, uint64_t *out)
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
		if (n > (uint64_t)SIZE_LIMIT >> units[i].shift)
			return -1;
		*out = n << units[i].shift;
		return 0;
	}
	return -1;
}

/* member - where a key's value goes; the type of the key says what to read it as */
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

/* Of what a client is told in a header, between quotes. */
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

/* One origin as a browser sends it (RFC 6454, 6.2): scheme, host and port, nothing else; safe in nginx's configuration. */
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
			memcpy(member(c, k), &i, sizeof(i));    /* an enum without negative values is an unsigned */
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
	case KEY_ORIGINS:
		return set_origins(c, k, text);
	case KEY_PATH:
	case KEY_FILE:
		return set_path(c, k, text);
	case KEY_REALM:
	case KEY_TEXT:
		return set_quotable(c, k, text, REALM_MAX);
	case KEY_URL:
		return set_url(c, k, text);
	case KEY_NETWORKS:
		return set_networks(c, k, text);
	case KEY_FLAG:
	case KEY_WORD:
		return set_word(c, k, text);
	case KEY_SIZE:
		return key_parse_size(text, &n) < 0 ? -1 : key_set_number(c, k, (int64_t)n);
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

/* add_size - in the biggest unit that leaves no rest */
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

void key_wants(const struct key *k, struct str *out)
{
	str_puts(out, "must be ");
	switch (k->type) {
	case KEY_ORIGINS:
		str_puts(out, "origins separated by commas such as \"https://a.example,http://b.example:8080\", \"*\" or \"\"");
		break;
	case KEY_PATH:
		str_puts(out, "an absolute path in quotes");
		break;
	case KEY_FILE:
		str_puts(out, "an absolute path in quotes, or \"\"");
		break;
	case KEY_REALM:
		str_addf(out, "a text in quotes of 1 to %d ASCII characters, without control characters, \" and \\", REALM_MAX);
		break;
	case KEY_TEXT:
		str_addf(out, "a text in quotes of at most %d ASCII characters, without control characters, \" and \\", REALM_MAX);
		break;
	case KEY_URL:
		str_puts(out, "a URL in quotes such as \"https://registry.example/v2/token\", or \"\"");
		break;
	case KEY_NETWORKS:
		str_puts(out, "addresses and networks in quotes, separated by commas, such as \"10.0.0.0/8,::1\", or \"\"");
		break;
	case KEY_COUNT:
		str_addf(out, "a whole number from %llu to %llu", (unsigned long long)k->min, (unsigned long long)k->max);
		break;
	case KEY_BOOL:
		str_puts(out, "true or false");
		break;
	case KEY_FLAG:
	case KEY_WORD:
		add_words(out, k->words);
		break;
	case KEY_SIZE:
		str_puts(out, "a size in quotes such as \"4 MiB\"");
		if (k->max == SIZE_LIMIT)
			break;
		str_puts(out, ", from ");
		add_size(out, k->min);
		str_puts(out, " to ");
		add_size(out, k->max);
		break;
	case KEY_DURATION:
		str_puts(out, "a duration in quotes such as \"24h\", \"30m\" or \"7d\"");
		break;
	}
}

void key_get(const struct config *c, const struct key *k, struct str *out)
{
	const void *at = member_const(c, k);
	unsigned word;

	switch (k->type) {
	case KEY_ORIGINS:
	case KEY_PATH:
	case KEY_FILE:
	case KEY_REALM:
	case KEY_TEXT:
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
