/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_table: the table of settings: name, type, default, bounds and meaning of each.
 *
 * Owns the table. A part of `key`.
 */

#include <string.h>
#include "base/mem.h"
#include "conf/key.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define COUNT_MAX 1024          /* processes: more is a typing error */
#define DURATION_MAX (UINT64_C(3660) * 24 * 3600)       /* ten years: more is a typing error, too */
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
	  .help = "whether berth refuses every write" },
	{ "fsync", KEY_FLAG, GOES_TO(fsync), .preset = "full", .words = fsync_words,
	  .help = "full: an acknowledged write survives a power cut; off: faster, but it may be lost" },
	{ "manifests.sparse", KEY_WORD, GOES_TO(sparse), .preset = "refuse", .words = sparse_words,
	  .help = "what a manifest may name without its being in the repository: refuse: nothing; index: children of an index; "
		  "all: anything" },
	{ "manifests.max_size", KEY_SIZE, GOES_TO(max_manifest), .preset = "4 MiB", .min = KIB, .max = 64 * MIB,
	  .help = "the biggest manifest that is accepted" },
	{ "blobs.max_size", KEY_SIZE, GOES_TO(max_blob), .preset = "0", .max = KEY_SIZE_MAX,
	  .help = "the biggest blob that is accepted; 0: no limit" },
	{ "http.cors", KEY_ORIGINS, GOES_TO(cors), .preset = "",
	  .help = "origins whose web pages may use the registry: \"https://a.example,https://b.example\", \"*\", or none" },
	{ "gc.every", KEY_DURATION, GOES_TO(gc_every), .preset = "0", .max = DURATION_MAX,
	  .help = "the time from one garbage collection to the next that berth-fcgi starts; 0: it starts none" },
	{ "gc.grace", KEY_DURATION, GOES_TO(gc_grace), .preset = "24h", .max = DURATION_MAX,
	  .help = "the grace period: how old garbage must be before it is removed" },
	{ "gc.uploads", KEY_DURATION, GOES_TO(gc_uploads), .preset = "7d", .max = DURATION_MAX,
	  .help = "how long after its last byte an unfinished upload is removed" },
	{ "gc.untagged", KEY_BOOL, GOES_TO(gc_untagged), .preset = "false",
	  .help = "whether untagged manifests are removed, too, unless an index or a subject keeps them" },
	{ "gc.rate", KEY_COUNT, GOES_TO(gc_rate), .preset = "0", .max = RATE_MAX,
	  .help = "how many manifests, links and blobs a collection handles in a second; 0: no limit" },
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
};
const size_t key_count = ARRAY_LEN(key_table);

_Static_assert(ARRAY_LEN(key_table) <= 8 * sizeof(((struct config *)NULL)->given), "a bit for each setting");

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
