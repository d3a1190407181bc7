/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_UPSTREAM_H
#define BERTH_CONF_UPSTREAM_H

/* upstream: the registries that this one caches, "upstreams" of the configuration, and which of them a repository mirrors (doc/CACHE.md). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ref.h"
#include "os/dir.h"

struct config;

#define UPSTREAMS_MAX 64                /* in a configuration */
#define UPSTREAM_URLS_MAX 8             /* of an upstream */
#define CACHE_KEEP_PART 10              /* a blob larger than this part of cache.max_size is not kept */

struct config_upstream {                /* one of "upstreams" */
	char *name;                     /* as a repository's name; "" with `whole` */
	bool whole;                     /* the whole registry mirrors it: REGISTRY_PROXY_REMOTEURL; then it is the only one */
	struct names urls;              /* http or https, without a path beyond a prefix and without a slash at the end; the first is tried first */
	struct names hosts;             /* of requests that are for this upstream, in lower case, without port */
	struct names realms;            /* other hosts that may get the password */
	struct names redirects;         /* other hosts that redirects may lead to whatever their address */
	char *user;                     /* "": no login */
	char *password_file;            /* an absolute path; "": the password is below */
	char *password;                 /* of the variable or config.yml of registry:2; "": none */
	uint64_t fresh, stale, missing; /* seconds */
	struct names allow;             /* patterns of names upstream; none: all */
	struct names platforms;         /* "OS/ARCH[/VARIANT]" */
	char *ca;                       /* an absolute path; "": the system's */
	bool finish;                    /* a download goes on without clients */
	char *where;                    /* "FILE:LINE", or the variable */
};

struct config_cache {                   /* "cache" */
	uint64_t max;                   /* "cache.max_size": bytes; "0": no limit */
	uint64_t idle;                  /* "cache.idle": seconds; "0": nothing goes for its age */
};

/*
 * upstream_of - the upstream whose mirror this repository is; NULL: it is one of one's own
 * rest  gets the repository's name there, a slice of n->s; may be NULL
 */
const struct config_upstream *upstream_of(const struct config *c, const struct name *n, const char **rest);

/* upstream_is_hub - whether it is Docker Hub, by its name or its URL: a name there has at least two components */
bool upstream_is_hub(const struct config_upstream *u);

/* upstream_allows - whether a repository's name there matches "allow" */
bool upstream_allows(const struct config_upstream *u, const char *rest);

/*
 * upstream_space - the name space that a request is for
 * host  the Host header in any case, with or without port; NULL: none
 * ns    the decoded query parameter; NULL: none
 * out   gets the upstream whose name goes before the name in the path; NULL: none, the name is as it is in the path
 * Returns 0, or -1: there is no such name space (404). Without upstreams it is 0 and NULL, whatever ns says.
 */
int upstream_space(const struct config *c, const char *host, const char *ns, const struct config_upstream **out);

#endif
