/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_UPSTREAM_H
#define BERTH_RELAY_UPSTREAM_H

/*
 * upstream: requests to the registries that this one caches (doc/CACHE.md, "Rights and trust").
 *
 * Which URL is asked, how it wants a login, and what its answer means, is decided here. A password goes to the URLs of the configuration, to
 * realms on the same host, and to those that the configuration lists, nowhere else; a token goes to the URL whose challenge it was for. A
 * token is fetched once for all who want it, and kept in memory while it is valid.
 */

#include "conf/upstream.h"
#include "relay/client.h"

struct event_base;
struct upstream;
struct upstream_ask;
struct upstreams;

enum upstream_kind {
	UPSTREAM_OK,                    /* 2xx or 304 */
	UPSTREAM_MISSING,               /* 404 */
	UPSTREAM_UNABLE,                /* 405 or 501: it does not know this method here */
	UPSTREAM_DENIED,                /* what there is of a login does not give access; Docker Hub says so of what does not exist, too */
	UPSTREAM_LIMITED,               /* 429, or it said before that nothing is left */
	UPSTREAM_LOGIN,                 /* no token, or the password was refused or cannot be read */
	UPSTREAM_TLS,
	UPSTREAM_UNREACHED,
	UPSTREAM_FAILED,                /* 5xx, anything else, or against a bound of ours */
	UPSTREAM_KINDS
};

/*
 * upstream_word - the kind as a word for logs, metrics and `why`: "ok", "missing", "unable", "denied", "limited", "login", "tls", "unreached",
 *                 "failed"
 */
const char *upstream_word(enum upstream_kind k);

/*
 * upstreams_open - for the upstreams of a configuration, which is borrowed, as is the client, until upstreams_close()
 * upstreams_close - nothing may be under way
 * upstreams_find  - by name; NULL: there is none
 */
struct upstreams *upstreams_open(struct event_base *base, struct client *c, const struct config_upstream *v, size_t count);
void upstreams_close(struct upstreams **us);
struct upstream *upstreams_find(struct upstreams *us, const char *name);

/* upstreams_inherit - go on with the counts, and what is known of the rate limit, of those of the same name; NULL: nothing */
void upstreams_inherit(struct upstreams *us, struct upstreams *before);

const struct config_upstream *upstream_config(const struct upstream *u);

/* What is counted of an upstream since the relay began. */
struct upstream_counts {
	uint64_t asked[UPSTREAM_KINDS]; /* by what came of it, of each URL */
	uint64_t bytes;                 /* of bodies */
	int64_t remaining;              /* of its rate limit, as it said last; -1: it said nothing */
};
const struct upstream_counts *upstream_counts(const struct upstream *u);

struct upstream_call {                  /* copied, but for the functions' argument */
	const char *method;             /* "GET" or "HEAD" */
	const char *name;               /* the repository there, a valid name */
	const char *tail;               /* behind "/v2/NAME/": "manifests/latest" */
	const struct names *headers;    /* "Accept: …"; NULL: none */
	unsigned timeout_ms, stall_s, stall_bytes;      /* as of client_call */
	size_t answer_max;
	bool copy;                      /* there is a cached answer: do not ask an upstream that is known to be away or to refuse just now */
	/* As of client_call. `head` is called for an answer that is UPSTREAM_OK alone; after a failure it may be called again, for another URL. */
	bool (*head)(void *arg, const struct client_answer *a);
	bool (*piece)(void *arg, const void *data, size_t len);
};

struct upstream_answer {                /* borrowed until `done` returns */
	enum upstream_kind kind;
	const char *why;                /* one line for the operator; "" if it is UPSTREAM_OK */
	const struct client_answer *http;       /* the last one; with status 0 there is none */
};

typedef void upstream_done(void *arg, const struct upstream_answer *a);

/*
 * upstream_begin - ask; `done` is called once, never from within this function, unless the request is cancelled
 * A body that broke off after its first piece is not asked for again: that is for the caller, who knows what he has.
 */
struct upstream_ask *upstream_begin(struct upstream *u, const struct upstream_call *call, upstream_done *done, void *arg);
void upstream_cancel(struct upstream_ask **a);

#endif
