/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_table: every setting: its name, type, default, bounds and meaning.
 *
 * Owns the table. A part of `key`.
 */

#include <string.h>
#include "base/mem.h"
#include "conf/key.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define COUNT_MAX 1024          /* processes: beyond this it is a slip of the finger */
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
	{ "blobs.max_size", KEY_SIZE, GOES_TO(max_blob), .preset = "0", .max = KEY_SIZE_MAX,
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
