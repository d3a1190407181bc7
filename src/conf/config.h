/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_CONFIG_H
#define BERTH_CONF_CONFIG_H

/*
 * config: the configuration, read into one struct.
 *
 * Each source overrides the ones before it: defaults, the config.yml of registry:2 (YAML), the file (libconfig), the
 * environment variables of registry:2 that compose files use, options. A struct config is always complete and valid: a reload
 * builds a new one and swaps.
 *
 * One table in key_table.c has every setting with its name, type, default and help; tests compare doc/berth.conf.example
 * and doc/berth.conf.5 with it. Another one in moved_table.c has every setting of registry:2; see doc/MOVING.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/log.h"
#include "base/str.h"
#include "conf/endpoint.h"
#include "conf/right.h"
#include "conf/upstream.h"
#include "os/dir.h"

enum config_fsync { FSYNC_OFF, FSYNC_FULL, FSYNC_IMAGE };
/* Whether Location is a path: where the scheme is unknown, always, never. */
enum config_relative { RELATIVE_AUTO, RELATIVE_ON, RELATIVE_OFF };

/* Who starts berth-relay: the master where there are endpoints or upstreams; somebody else. */
enum config_relay { RELAY_AUTO, RELAY_OFF };

/* What happens to a manifest that gives a wrong size of content. */
enum config_sizes { SIZES_CHECK, SIZES_WARN };

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
	bool on;                /* a file has the group, or the environment one of its variables; else rights are not checked */
	unsigned line;          /* the line of the group in the file; 0: it has none */
	char *where;            /* the place of the group in the config.yml of registry:2, "FILE:LINE"; NULL: it has none */
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

/* "http.tls": TLS on the address of http.listen. nginx does it; berth checks the settings. */
struct config_tls {
	char *certificate, *key;        /* "http.tls.certificate", "http.tls.key": absolute paths; default "": no TLS */
	char *client_authorities;       /* "http.tls.client_authorities": paths separated by commas; default "" */
	bool client_optional;           /* "http.tls.client_auth": "require" (default) or "optional" */
	bool only_13;                   /* "http.tls.minimum": "1.2" (default) or "1.3" */
};

struct config_journal {         /* "journal": see doc/EVENTS.md */
	bool on;                /* "journal.enabled": default false */
	uint64_t keep;          /* "journal.keep": seconds; "7d" */
	uint64_t max;           /* "journal.max_size": bytes; "1 GiB"; 4 MiB at least */
};

struct rule;

struct config {
	char *file;                     /* the file that was read; NULL: none */
	char *root;                     /* "root": absolute path of the store; default /var/lib/registry */
	unsigned workers;               /* "workers": 1..1024; 0 (default): twice the cores, at least 4 */
	unsigned write_workers;         /* "write_workers": 1..1024; 0 (default): as many as workers */
	unsigned upload_workers;        /* "upload_workers": 1..1024; 0 (default): one a core, at least 2 */
	bool delete_enabled;            /* "delete": default false */
	bool readonly;                  /* "readonly": default false */
	bool page;                      /* "page": default true */
	enum config_fsync fsync;        /* "fsync": "image" (default), "full" or "off" */
	enum config_sparse sparse;      /* "manifests.sparse": "refuse" (default), "index", "all" */
	enum config_sizes sizes;        /* "manifests.sizes": "check" (default), "warn" */
	uint64_t max_manifest;          /* "manifests.max_size": bytes; "4 MiB"; 1 KiB..64 MiB */
	uint64_t max_blob;              /* "blobs.max_size": bytes; default "0": no limit */
	char *moved_file;               /* "config": the config.yml of registry:2 that was read; default "": none */
	char *listen;                   /* "http.listen": where nginx listens; default "": whoever starts nginx decides */
	char *monitor;                  /* "http.monitor": the same for /metrics and /readyz; default "": nowhere */
	char *metrics_path;             /* "http.metrics_path": default "/metrics" */
	char *cors;                     /* "http.cors": origins whose web pages may read answers; default "": none */
	char *host;                     /* "http.host": the URL by which clients reach the registry; default "": from the request */
	char *prefix;                   /* "http.prefix": the path before /v2/; default "": none */
	enum config_relative relative;  /* "http.relative_urls": "auto" (default), "on", "off" */
	char *headers;                  /* "http.headers": more headers that nginx adds to answers; default "": none */
	bool http2;                     /* "http.http2": default true */
	struct config_tls tls;
	unsigned catalog_max;           /* "catalog.max_entries": 0 (default): 1000 */
	uint64_t gc_every;              /* "gc.every": seconds between collections by the master; default "0": none */
	uint64_t gc_grace;              /* "gc.grace": seconds; "24h" */
	uint64_t gc_uploads;            /* "gc.uploads": seconds; "7d" */
	uint64_t gc_uploads_every;      /* "gc.uploads_every": seconds; "24h"; "0": only a collection removes uploads */
	bool gc_untagged;               /* "gc.untagged": default false */
	unsigned gc_rate;               /* "gc.rate": objects a second; default 0: no limit */
	struct rule *rules;             /* "rules": see conf/rules.h */
	size_t nrules;
	char *rules_where;              /* what gives that list: "FILE:LINE"; NULL: nothing */
	uint64_t undo;                  /* "undo": seconds; default "0": nothing is remembered */
	uint64_t rules_delay;           /* "rules_delay": seconds; "24h" */
	struct config_journal journal;
	struct config_endpoint *endpoints;      /* "notifications" */
	size_t nendpoints;
	enum config_relay relay;        /* "relay": "auto" (default), "off" */
	char *endpoints_where;          /* what gives that list: "FILE:LINE", or a variable; NULL: nothing */
	struct config_upstream *upstreams;      /* "upstreams" */
	size_t nupstreams;
	char *upstreams_where;          /* as endpoints_where */
	struct names own;               /* "own": names of this registry, in lower case; for the parameter ns of clients */
	char *own_where;                /* the same */
	struct config_cache cache;
	enum log_level log_level;       /* "log.level": default "info" */
	bool log_access;                /* "log.access": whether nginx keeps an access log; default true */
	char *log_fields;               /* "log.fields": "name=value,name=value", added to each line; default "": none */
	struct config_auth auth;
	char **origins;                 /* of each row of the table of keys: "FILE:LINE", the variable or the option; NULL: default */
};

#define CONFIG_DEFAULT_FILE "/etc/berth/berth.conf"

/* The variable with the paths of config.yml that are read by themselves, separated by colons: the image sets it. */
#define CONFIG_YML_VARIABLE "BERTH_CONFIG_YML"

/*
 * config_load - read a configuration
 * file  path of the file, which must exist; NULL: CONFIG_DEFAULT_FILE if it exists; else the first that exists of those in
 *       CONFIG_YML_VARIABLE; else the defaults alone. A name with .yml or .yaml at its end is a config.yml of registry:2
 * env   the environment, as environ(7)
 * warn  gets one line for each warning, such as a setting of registry:2 that is lost, separated by newlines; may be NULL
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

/* config_sessions - whether a browser may log in to the page with a form: users have passwords, and nginx does not say who it is */
bool config_sessions(const struct config *c);

/* config_foreign_tokens - whether berth accepts the tokens of a foreign token service */
bool config_foreign_tokens(const struct config *c);

/* config_token_key - add the path of the key that signs tokens to out */
void config_token_key(const struct config *c, struct str *out);

/* config_journal_on - whether changes are written down: "journal.enabled", or somebody is to be told of them */
bool config_journal_on(const struct config *c);

/* config_journal_pulls - whether pulls are, too: an endpoint asks for them */
bool config_journal_pulls(const struct config *c);

/* config_relay_needed - whether there is anything for berth-relay to do: endpoints, or upstreams */
bool config_relay_needed(const struct config *c);

/* config_check_files - whether this process can read the files that endpoints and upstreams name: 0, or -1 with a line for each in msg */
int config_check_files(const struct config *c, struct str *msg);

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

/* config_origins - the same lines, each with a tab and what gives the value: "default", "FILE:LINE", a variable or an option */
void config_origins(const struct config *c, struct str *out);

/* config_given - add to out a line for each setting that a file, the environment or --root sets: its name */
void config_given(const struct config *c, struct str *out);

/* config_moved - add to out a line for each setting of registry:2: its name, a tab, and what becomes of it */
void config_moved(struct str *out);

/*
 * config_keys - add to out a line for each setting that exists: its name, default and meaning
 * whole  several lines each: the name, and indented its type, default, variables and meaning
 */
void config_keys(bool whole, struct str *out);

#endif
