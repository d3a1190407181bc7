/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_table: the table of settings: name, type, default, bounds and meaning of each.
 *
 * Owns the table. A part of `key`.
 */

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "conf/key.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define COUNT_MAX 1024          /* processes: more is a typing error */
#define DURATION_MAX (UINT64_C(3660) * 24 * 3600)       /* ten years: more is a typing error, too */
#define RATE_MAX 1000000
#define ENTRIES_MAX 100000      /* names of at most 255 bytes, in the memory of one worker */

static const char *const fsync_words[] = { [FSYNC_OFF] = "off", [FSYNC_FULL] = "full", [FSYNC_IMAGE] = "image", NULL };
static const char *const sparse_words[] = {
	[SPARSE_REFUSE] = "refuse", [SPARSE_INDEX] = "index", [SPARSE_ALL] = "all", NULL
};
static const char *const relay_words[] = { [RELAY_AUTO] = "auto", [RELAY_OFF] = "off", NULL };
static const char *const sizes_words[] = { [SIZES_CHECK] = "check", [SIZES_WARN] = "warn", NULL };
static const char *const relative_words[] = {
	[RELATIVE_AUTO] = "auto", [RELATIVE_ON] = "on", [RELATIVE_OFF] = "off", NULL
};
static const char *const token_words[] = { [TOKENS_AUTO] = "auto", [TOKENS_ON] = "on", [TOKENS_OFF] = "off", NULL };
static const char *const client_words[] = { "require", "optional", NULL };
static const char *const minimum_words[] = { "1.2", "1.3", NULL };
static const char *const algorithm_words[] = { "EdDSA", "ES256", NULL };
static const char *const level_words[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL
};

#define GOES_TO(member) .off = offsetof(struct config, member)

const struct key key_table[] = {
	{ "root", KEY_PATH, GOES_TO(root), .preset = "/var/lib/registry",
	  .help = "the directory that holds everything" },
	{ "config", KEY_FILE, GOES_TO(moved_file), .preset = "",
	  .help = "a config.yml of registry:2, whose settings this file overrides, or none" },
	{ "workers", KEY_COUNT, GOES_TO(workers), .preset = "0", .max = COUNT_MAX,
	  .help = "processes that answer requests; 0: twice the cores, at least 4" },
	{ "write_workers", KEY_COUNT, GOES_TO(write_workers), .preset = "0", .max = COUNT_MAX,
	  .help = "processes that do short writes; 0: as many as workers" },
	{ "upload_workers", KEY_COUNT, GOES_TO(upload_workers), .preset = "0", .max = COUNT_MAX,
	  .help = "processes that hash uploads; 0: one a core, at least 2" },
	{ "delete", KEY_BOOL, GOES_TO(delete_enabled), .preset = "false",
	  .help = "whether clients may delete manifests, tags and blobs" },
	{ "readonly", KEY_BOOL, GOES_TO(readonly), .preset = "false",
	  .help = "whether berth refuses every write" },
	{ "page", KEY_BOOL, GOES_TO(page), .preset = "true",
	  .help = "whether browsers get a page that shows the registry, and may log in to it" },
	{ "fsync", KEY_WORD, GOES_TO(fsync), .preset = "image", .words = fsync_words,
	  .help = "what survives a power cut: image: an acknowledged manifest or tag with all that it names; full: each acknowledged "
		  "blob as well; off: perhaps nothing of the last seconds" },
	{ "manifests.sparse", KEY_WORD, GOES_TO(sparse), .preset = "refuse", .words = sparse_words,
	  .help = "what a manifest may name without its being in the repository: refuse: nothing; index: children of an index; "
		  "all: anything" },
	{ "manifests.sizes", KEY_WORD, GOES_TO(sizes), .preset = "check", .words = sizes_words,
	  .help = "what happens to a manifest that gives a wrong size of content: check: it is refused; warn: the log says so" },
	{ "manifests.max_size", KEY_SIZE, GOES_TO(max_manifest), .preset = "4 MiB", .min = KIB, .max = 64 * MIB,
	  .help = "the biggest manifest that is accepted" },
	{ "blobs.max_size", KEY_SIZE, GOES_TO(max_blob), .preset = "0", .max = KEY_SIZE_MAX,
	  .help = "the biggest blob that is accepted; 0: no limit" },
	{ "http.listen", KEY_ADDRESS, GOES_TO(listen), .preset = "",
	  .help = "where nginx listens, if whoever starts it names no address; none: 127.0.0.1:5000, in the images :5000" },
	{ "http.monitor", KEY_ADDRESS, GOES_TO(monitor), .preset = "",
	  .help = "where nginx listens for /metrics, /readyz and /debug/health, or nowhere" },
	{ "http.metrics_path", KEY_LOCATION, GOES_TO(metrics_path), .preset = "/metrics",
	  .help = "the path of the metrics at the address of http.monitor" },
	{ "http.http2", KEY_BOOL, GOES_TO(http2), .preset = "true",
	  .help = "whether clients may use HTTP/2 over TLS" },
	{ "http.tls.certificate", KEY_FILE, GOES_TO(tls.certificate), .preset = "",
	  .help = "the certificate and its intermediate certificates, in PEM, or no TLS; a renewed one is taken up by itself" },
	{ "http.tls.key", KEY_FILE, GOES_TO(tls.key), .preset = "",
	  .help = "the private key of the certificate, in PEM, readable for the user of nginx" },
	{ "http.tls.client_authorities", KEY_FILES, GOES_TO(tls.client_authorities), .preset = "",
	  .help = "certificates of the authorities that sign certificates of clients, or none: clients need none" },
	{ "http.tls.client_auth", KEY_FLAG, GOES_TO(tls.client_optional), .preset = "require", .words = client_words,
	  .help = "whether a client needs a certificate of one of these authorities; optional: one that is sent is checked" },
	{ "http.tls.minimum", KEY_FLAG, GOES_TO(tls.only_13), .preset = "1.2", .words = minimum_words,
	  .help = "the oldest version of TLS that is spoken" },
	{ "http.cors", KEY_ORIGINS, GOES_TO(cors), .preset = "",
	  .help = "origins whose web pages may use the registry: \"https://a.example,https://b.example\", \"*\", or none" },
	{ "http.host", KEY_HOST, GOES_TO(host), .preset = "",
	  .help = "the URL by which clients reach the registry, for Location and the token service; none: from the request" },
	{ "http.prefix", KEY_PREFIX, GOES_TO(prefix), .preset = "",
	  .help = "the path before /v2/ at which the registry is served, or none" },
	{ "http.relative_urls", KEY_WORD, GOES_TO(relative), .preset = "auto", .words = relative_words,
	  .help = "whether Location is a path: auto: where the client's scheme is unknown; on: always; off: never" },
	{ "http.headers", KEY_HEADERS, GOES_TO(headers), .preset = "",
	  .help = "headers that nginx adds to all answers: \"Name: value|Name: value\", or none" },
	{ "catalog.max_entries", KEY_COUNT, GOES_TO(catalog_max), .preset = "0", .max = ENTRIES_MAX,
	  .help = "the most repositories on one page of the catalog; 0: 1000" },
	{ "gc.every", KEY_DURATION, GOES_TO(gc_every), .preset = "0", .max = DURATION_MAX,
	  .help = "the time from one garbage collection to the next that berth-fcgi starts; 0: it starts none" },
	{ "gc.grace", KEY_DURATION, GOES_TO(gc_grace), .preset = "24h", .max = DURATION_MAX,
	  .help = "the grace period: how old garbage must be before it is removed" },
	{ "gc.uploads", KEY_DURATION, GOES_TO(gc_uploads), .preset = "7d", .max = DURATION_MAX,
	  .help = "how long after its last byte an unfinished upload is removed" },
	{ "gc.uploads_every", KEY_DURATION, GOES_TO(gc_uploads_every), .preset = "24h", .max = DURATION_MAX,
	  .help = "the time from one look for such uploads to the next; 0: only a collection removes them" },
	{ "gc.untagged", KEY_BOOL, GOES_TO(gc_untagged), .preset = "false",
	  .help = "whether untagged manifests are removed, too, unless an index or a subject keeps them" },
	{ "gc.rate", KEY_COUNT, GOES_TO(gc_rate), .preset = "0", .max = RATE_MAX,
	  .help = "how many manifests, links and blobs a collection handles in a second; 0: no limit" },
	{ "undo", KEY_DURATION, GOES_TO(undo), .preset = "0", .max = DURATION_MAX,
	  .help = "how long a tag that was deleted or moved, and a manifest that was deleted, can be restored; 0: not at all" },
	{ "rules_delay", KEY_DURATION, GOES_TO(rules_delay), .preset = "24h", .max = DURATION_MAX,
	  .help = "the time from the first run of a new or changed rule, which deletes nothing, to the first one that does" },
	{ "journal.enabled", KEY_BOOL, GOES_TO(journal.on), .preset = "false",
	  .help = "whether changes are written down, for `berth events` and /berth/v1/events" },
	{ "journal.keep", KEY_DURATION, GOES_TO(journal.keep), .preset = "7d", .max = DURATION_MAX,
	  .help = "how long events are kept; 0: until they are too many" },
	{ "journal.max_size", KEY_SIZE, GOES_TO(journal.max), .preset = "1 GiB", .min = 4 * MIB, .max = 16 * MIB * MIB,
	  .help = "how much space events may occupy; the oldest go first" },
	{ "relay", KEY_WORD, GOES_TO(relay), .preset = "auto", .words = relay_words,
	  .help = "who starts berth-relay, which delivers events and asks other registries: auto: berth-fcgi, if there are endpoints or upstreams; "
		  "off: a unit or container of its own" },
	{ "cache.max_size", KEY_SIZE, GOES_TO(cache.max), .preset = "0", .max = KEY_SIZE_MAX,
	  .help = "how much space what is cached of other registries may occupy; what was pulled last the longest ago goes first; 0: no limit" },
	{ "cache.idle", KEY_DURATION, GOES_TO(cache.idle), .preset = "30d", .max = DURATION_MAX,
	  .help = "how long what is cached of other registries stays after its last pull; 0: for ever" },
	{ "auth.realm", KEY_REALM, GOES_TO(auth.realm), .preset = "berth",
	  .help = "the realm of the challenge: the name that clients show when they ask for a password" },
	{ "auth.htpasswd", KEY_FILE, GOES_TO(auth.htpasswd), .preset = "",
	  .help = "the file of users and password hashes (bcrypt, yescrypt, sha512-crypt, sha256-crypt), or none" },
	{ "auth.robots", KEY_FILE, GOES_TO(auth.robots), .preset = "",
	  .help = "the file of accounts for machines, as `berth token add` writes it, or none" },
	{ "auth.remote_user", KEY_BOOL, GOES_TO(auth.remote_user), .preset = "false",
	  .help = "whether nginx authenticates the user and passes the name in REMOTE_USER" },
	{ "auth.token.enabled", KEY_WORD, GOES_TO(auth.token.enabled), .preset = "auto", .words = token_words,
	  .help = "whether /v2/token issues tokens; auto: if a rule names \"@anonymous\"" },
	{ "auth.token.realm", KEY_URL, GOES_TO(auth.token.realm), .preset = "",
	  .help = "the URL of /v2/token that the challenge names; none: from the request" },
	{ "auth.token.service", KEY_REALM, GOES_TO(auth.token.service), .preset = "berth",
	  .help = "the name of this registry in its tokens" },
	{ "auth.token.key", KEY_FILE, GOES_TO(auth.token.key), .preset = "",
	  .help = "the file of the key that signs tokens, created if it does not exist; \"\": berth/token.key below the root" },
	{ "auth.token.algorithm", KEY_FLAG, GOES_TO(auth.token.es256), .preset = "EdDSA", .words = algorithm_words,
	  .help = "the type of the key that is created" },
	{ "auth.token.proxies", KEY_NETWORKS, GOES_TO(auth.token.proxies), .preset = "",
	  .help = "addresses and networks of proxies whose X-Forwarded-Proto is trusted: \"10.0.0.0/8,::1\"" },
	{ "auth.foreign.realm", KEY_URL, GOES_TO(auth.foreign.realm), .preset = "",
	  .help = "the URL of a foreign token service, or none" },
	{ "auth.foreign.service", KEY_TEXT, GOES_TO(auth.foreign.service), .preset = "",
	  .help = "its name for this registry: \"aud\" in its tokens" },
	{ "auth.foreign.issuer", KEY_TEXT, GOES_TO(auth.foreign.issuer), .preset = "",
	  .help = "its own name: \"iss\" in its tokens" },
	{ "auth.foreign.bundle", KEY_FILE, GOES_TO(auth.foreign.bundle), .preset = "",
	  .help = "its keys: a file, or a directory of files, of public keys or certificates, which are also roots for x5c" },
	{ "auth.foreign.jwks", KEY_FILE, GOES_TO(auth.foreign.jwks), .preset = "",
	  .help = "its keys: a JWK Set, or a directory of such files" },
	{ "log.level", KEY_WORD, GOES_TO(log_level), .preset = "info", .words = level_words,
	  .help = "what is logged: this level and more severe ones" },
	{ "log.access", KEY_BOOL, GOES_TO(log_access), .preset = "true",
	  .help = "whether nginx keeps an access log" },
	{ "log.fields", KEY_FIELDS, GOES_TO(log_fields), .preset = "",
	  .help = "fields that each line of the log gets: \"service=registry,environment=staging\", or none" },
};
const size_t key_count = ARRAY_LEN(key_table);

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

void key_mark(struct config *c, const struct key *k, const char *origin)
{
	size_t i = (size_t)(k - key_table);

	if (!c->origins)
		c->origins = xcalloc(key_count, sizeof(*c->origins));
	free(c->origins[i]);
	c->origins[i] = xstrdup(origin);
}

const char *key_origin(const struct config *c, const struct key *k)
{
	return c->origins ? c->origins[k - key_table] : NULL;
}
