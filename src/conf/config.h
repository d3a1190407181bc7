/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_CONFIG_H
#define BERTH_CONF_CONFIG_H

/*
 * config: the configuration, read into one struct.
 *
 * Each source overrides the ones before it: defaults, the file (libconfig), and the environment variables of registry:2
 * that compose files use. A struct config is always complete and valid: a reload builds a new one and swaps.
 *
 * One table in key_table.c has every setting with its name, type, default and help; tests compare doc/berth.conf.example
 * and doc/berth.conf.5 with it.
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
	unsigned may;           /* bits of enum right; RIGHT_PUSH never without RIGHT_PULL */
	unsigned line;          /* its line in the file */
};

/* Whether berth is a token service: see config_issues_tokens(). */
enum config_tokens { TOKENS_AUTO, TOKENS_ON, TOKENS_OFF };

struct config_token {           /* "auth.token" */
	enum config_tokens enabled;     /* "auth.token.enabled": default "auto" */
	char *realm;            /* "auth.token.realm": the URL of /v2/token as clients reach it; default "": from the request */
	char *service;          /* "auth.token.service": default "berth" */
	char *key;              /* "auth.token.key": an absolute path; default "": berth/token.key below the root */
	bool es256;             /* "auth.token.algorithm", for creating a key: "EdDSA" (default) or "ES256" */
	char *proxies;          /* "auth.token.proxies": addresses and networks whose X-Forwarded-Proto is trusted; default "" */
};

struct config_foreign {         /* "auth.foreign" */
	char *realm;            /* "auth.foreign.realm": the URL of the token service; default "": none */
	char *service;          /* "auth.foreign.service": its name for this registry */
	char *issuer;           /* "auth.foreign.issuer": its own name */
	char *bundle;           /* "auth.foreign.bundle": certificates and keys; its certificates are roots for x5c */
	char *jwks;             /* "auth.foreign.jwks": a JWK Set, or a directory of such files */
};

struct config_auth {            /* "auth" */
	bool on;                /* the file has the group, or the environment one of its variables; else rights are not checked */
	unsigned line;          /* the line of the group in the file; 0: only the environment has it */
	char *realm;            /* "auth.realm": default "berth" */
	char *htpasswd;         /* "auth.htpasswd": an absolute path; default "": none */
	char *robots;           /* "auth.robots": an absolute path; the file need not exist; default "": none */
	bool remote_user;       /* "auth.remote_user": default false */
	struct config_token token;
	struct config_foreign foreign;
	struct config_group *groups;
	size_t ngroups;
	bool ruled;             /* the file has "auth.access"; if not, every logged-in user may do everything */
	struct config_rule *rules;
	size_t nrules;
};

struct config {
	char *file;                     /* the file that was read; NULL: none */
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
	char *cors;                     /* "http.cors": origins whose web pages may read answers; default "": none */
	uint64_t gc_every;              /* "gc.every": seconds between collections by the master; default "0": none */
	uint64_t gc_grace;              /* "gc.grace": seconds; "24h" */
	uint64_t gc_uploads;            /* "gc.uploads": seconds; "7d" */
	bool gc_untagged;               /* "gc.untagged": default false */
	unsigned gc_rate;               /* "gc.rate": objects a second; default 0: no limit */
	enum log_level log_level;       /* "log.level": default "info" */
	struct config_auth auth;
	uint64_t given;                 /* bits: the rows of the table of keys that the file, the environment or an option sets */
};

#define CONFIG_DEFAULT_FILE "/etc/berth/berth.conf"

/*
 * config_load - read a configuration
 * file  path of the file, which must exist; NULL: CONFIG_DEFAULT_FILE if it exists, else the defaults alone
 * env   the environment, as environ(7)
 * warn  gets one line for each warning, such as a REGISTRY_* variable that berth ignores, separated by newlines; may be NULL
 * msg   on failure gets one line for each fault, separated by newlines: "FILE:LINE: what is wrong; what to do", or
 *       "VARIABLE: ..."
 *
 * Returns an owned struct, or NULL with msg.
 */
struct config *config_load(const char *file, char *const *env, struct str *warn, struct str *msg);
void config_close(struct config **c);
#define cleanup_config __attribute__((cleanup(config_close)))

/*
 * config_set_root - replace the root of the configuration, for an option --root
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
 * config_issues_tokens - whether berth is a token service
 * It is not if a foreign one is configured, or without an htpasswd file. With "auto" it is if a rule names "@anonymous" and
 * remote_user is off: docker can pull without a login only with a token.
 */
bool config_issues_tokens(const struct config *c);

/* config_foreign_tokens - whether berth accepts the tokens of a foreign token service */
bool config_foreign_tokens(const struct config *c);

/* config_token_key - add the path of the key that signs tokens to out */
void config_token_key(const struct config *c, struct str *out);

/* The numbers of workers; 0 in the configuration means a number by the cores that this process may use. */
unsigned config_workers(const struct config *c);
unsigned config_write_workers(const struct config *c);
unsigned config_upload_workers(const struct config *c);

/*
 * config_show - add to out a line "key = value" for each setting, with the value in force
 *
 * The form is for scripts: sizes are in bytes, durations in seconds, words and paths have no quotes, and the member of a
 * group is "group.name". Lists of groups are written as in the file, on one line.
 */
void config_show(const struct config *c, struct str *out);

/* config_given - add to out a line for each setting that the file, the environment or --root sets: its name */
void config_given(const struct config *c, struct str *out);

/*
 * config_keys - add to out a line for each setting that exists: its name, default and meaning
 * whole  several lines each: the name, and indented its type, default, variables and meaning
 */
void config_keys(bool whole, struct str *out);

#endif
