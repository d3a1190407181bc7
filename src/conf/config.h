/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_CONFIG_H
#define BERTH_CONF_CONFIG_H

/*
 * config: the configuration file and the environment, read into one struct.
 *
 * Order, the later wins: defaults, the file (libconfig), the environment variables of registry:2 that compose files
 * use. A struct config is complete and valid or does not exist: a reload builds a new one and swaps.
 *
 * Every key stands in one table in key.c (name, type, default, help); the example file is checked against it by a test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/log.h"
#include "base/str.h"
#include "conf/right.h"
#include "os/dir.h"

enum config_sparse { SPARSE_REFUSE, SPARSE_INDEX, SPARSE_ALL };

struct config_group {           /* one of "auth.groups" */
	char *name;
	struct names users;
};

struct config_rule {            /* one of "auth.access" */
	struct names who;       /* user names, "@group", "@users", "@anonymous" */
	char *repo;             /* see base/pattern.h */
	unsigned may;           /* enum right, added up; with RIGHT_PUSH always RIGHT_PULL */
	unsigned line;          /* where it stands in the file */
};

/* Whether berth is a token service itself. */
enum config_tokens { TOKENS_AUTO, TOKENS_ON, TOKENS_OFF };

struct config_token {           /* "auth.token" */
	enum config_tokens enabled;     /* "auth.token.enabled": see config_issues_tokens(); default "auto" */
	char *realm;            /* "auth.token.realm": the URL of /v2/token as clients reach it; default "": that of the request */
	char *service;          /* "auth.token.service": default "berth" */
	char *key;              /* "auth.token.key": an absolute path; default "": berth/token.key below the root */
	bool es256;             /* "auth.token.algorithm", for a key that is made: "EdDSA" (default) or "ES256" */
	char *proxies;          /* "auth.token.proxies": addresses and networks by commas whose X-Forwarded-Proto counts; default "" */
};

struct config_foreign {         /* "auth.foreign" */
	char *realm;            /* "auth.foreign.realm": the URL of the token service; default "": none */
	char *service;          /* "auth.foreign.service": what it calls this registry */
	char *issuer;           /* "auth.foreign.issuer": what it calls itself */
	char *bundle;           /* "auth.foreign.bundle": certificates and keys; its certificates are roots for x5c */
	char *jwks;             /* "auth.foreign.jwks": a JWK Set, or a directory of such files */
};

struct config_auth {            /* "auth" */
	bool on;                /* the file has the group, or the environment one of its variables; else everybody may */
	unsigned line;          /* where the group stands in the file; 0: it is the environment's alone */
	char *realm;            /* "auth.realm": default "berth" */
	char *htpasswd;         /* "auth.htpasswd": an absolute path; default "": none */
	char *robots;           /* "auth.robots": an absolute path, where a file need not be; default "": none */
	bool remote_user;       /* "auth.remote_user": default false */
	struct config_token token;
	struct config_foreign foreign;
	struct config_group *groups;
	size_t ngroups;
	bool ruled;             /* whether "auth.access" is there; without it whoever is logged in may do everything */
	struct config_rule *rules;
	size_t nrules;
};

struct config {
	char *file;                     /* the file that was read, NULL where none was */
	char *root;                     /* "root": absolute path of the store; default /var/lib/registry */
	unsigned workers;               /* "workers": 1..1024; 0 (default): twice the cores, at least 4 */
	unsigned write_workers;         /* "write_workers": 1..1024; 0 (default): as many as workers */
	unsigned upload_workers;        /* "upload_workers": 1..1024; 0 (default): one a core, at least 2 */
	bool delete_enabled;            /* "delete": default false */
	bool readonly;                  /* "readonly": default false */
	bool fsync;                     /* "fsync": "full" (default) or "off" */
	enum config_sparse sparse;      /* "manifests.sparse": "refuse" (default), "index", "all" */
	uint64_t max_manifest;          /* "manifests.max_size": bytes; "4 MiB"; 1 KiB..64 MiB */
	uint64_t max_blob;              /* "blobs.max_size": bytes; default "0": no limit */
	char *cors;                     /* "http.cors": origins of web pages that may read answers, by commas; default "": none */
	uint64_t gc_every;              /* "gc.every": seconds between collections by the master; default "0": none */
	uint64_t gc_grace;              /* "gc.grace": seconds; "24h" */
	uint64_t gc_uploads;            /* "gc.uploads": seconds; "7d" */
	bool gc_untagged;               /* "gc.untagged": default false */
	unsigned gc_rate;               /* "gc.rate": objects a second; default 0: no limit */
	enum log_level log_level;       /* "log.level": default "info" */
	struct config_auth auth;
	uint64_t given;                 /* a bit for each row of the table of keys that is not at its default by itself */
};

#define CONFIG_DEFAULT_FILE "/etc/berth/berth.conf"

/*
 * config_load - read a configuration
 * file  path of the file; NULL: CONFIG_DEFAULT_FILE if it exists, else defaults alone. A file named must exist.
 * env   the environment, as environ(7)
 * warn  gets one line (no newline) for each thing worth saying that does not hinder, such as a REGISTRY_* variable
 *       that berth does not honour; may be NULL
 * msg   on failure holds one line a fault for the operator, newline between: "FILE:LINE: what is wrong; what to do",
 *       or "VARIABLE: ..."
 *
 * Returns an owned struct, or NULL with msg.
 */
struct config *config_load(const char *file, char *const *env, struct str *warn, struct str *msg);
void config_close(struct config **c);
#define cleanup_config __attribute__((cleanup(config_close)))

/*
 * config_set_root - another store than the configuration names, for a --root option
 * dir  absolute or relative to the working directory
 *
 * Returns 0, or -1 with a line in msg.
 */
int config_set_root(struct config *c, const char *dir, struct str *msg);

/*
 * config_parse_size - a size as a setting or an option has it: "0", "4096", "4 KiB", "10GiB"
 * Returns 0, or -1 if the text is not a number with B, KiB, MiB, GiB, TiB or no unit, or is more than 2^63-1 bytes.
 */
int config_parse_size(const char *text, uint64_t *out);

/* config_login - whether there is any way to log in */
bool config_login(const struct config *c);

/*
 * config_issues_tokens - whether berth is a token service: never beside another one, nor without a password file; with
 * "auto" where a rule names "@anonymous" and nobody is logged in by nginx (docker pulls without login in no other way)
 */
bool config_issues_tokens(const struct config *c);

/* config_foreign_tokens - whether tokens of a service elsewhere are taken */
bool config_foreign_tokens(const struct config *c);

/* config_token_key - the path of the key that signs tokens, added to out */
void config_token_key(const struct config *c, struct str *out);

/* The values that 0 stands for, from the cores this process may use. */
unsigned config_workers(const struct config *c);
unsigned config_write_workers(const struct config *c);
unsigned config_upload_workers(const struct config *c);

/*
 * config_show - every setting as it holds now, one "key = value" line each, added to out
 *
 * For scripts to read: sizes are plain bytes, durations seconds, words and paths have no quotes, a group's member is "group.name". Lists
 * of groups are written as the file has them, on one line.
 */
void config_show(const struct config *c, struct str *out);

/* config_given - the names of the settings that the file, the environment or --root gives, one a line, added to out */
void config_given(const struct config *c, struct str *out);

/*
 * config_keys - a line for each setting that exists: its name, default and meaning, added to out
 * whole  several lines each instead: the name, and indented what it must be, its default, variables and meaning
 */
void config_keys(bool whole, struct str *out);

#endif
