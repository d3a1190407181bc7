/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_UPSTREAM_OWN_H
#define BERTH_RELAY_UPSTREAM_OWN_H

/* upstream_own: what the files of `upstream` share. Private to src/relay. */

#include "relay/login.h"
#include "relay/upstream.h"

struct event;                           /* libevent's */

struct upstream_token {
	struct upstream_token *next;
	struct upstream *u;
	size_t url;                     /* which of the upstream's */
	char *name;                     /* the repository there */
	struct str text;                /* "": none */
	uint64_t until;                 /* monotonic clock, microseconds */
	uint64_t call;                  /* under way; 0: none */
	bool posted;                    /* GET was refused as a method: it is a POST now */
	struct str realm, service, scope;
	struct upstream_ask *waiting;
};

struct upstream_url {
	bool basic;                     /* it wants the password itself */
	uint64_t bad_until;             /* it failed: others go first; monotonic clock, microseconds */
	enum upstream_kind bad;
};

struct upstream {
	struct upstreams *us;
	const struct config_upstream *cf;
	struct upstream_url url[UPSTREAM_URLS_MAX];
	uint64_t limited_until;         /* it said that nothing is left */
	struct upstream_token *tokens;  /* the one that was used last goes first */
	size_t ntokens;
	struct upstream_counts counts;
};

struct upstreams {
	struct event_base *base;
	struct client *client;
	struct upstream *v;
	size_t count;
};

struct upstream_ask {
	struct upstream *u;
	char *method, *name, *tail;
	struct names headers;
	struct upstream_call call;      /* its texts are those above */
	upstream_done *done;
	void *arg;

	size_t url, tried;              /* which URL, and how many so far */
	bool anew;                      /* a login was made for this request: a second 401 is the answer */
	bool streamed;                  /* a piece of a body was handed out */
	uint64_t id;                    /* of the client's call; 0: none */
	struct upstream_token *token;   /* waits for it; NULL: not */
	void (*got)(struct upstream_ask *a, bool got, enum upstream_kind kind, const char *why);
	struct upstream_ask *next, **link;      /* among those who wait for it */
	struct event *soon;             /* it has failed without a request */
	enum upstream_kind kind;
	struct str why;
};

/* upstream_token.c */

/* token_valid - the token for a request at its URL; NULL: none */
const char *token_valid(struct upstream_ask *a);

/* token_want - fetch one: a->got() is called later; false with a->why: it is not to be had */
bool token_want(struct upstream_ask *a, const struct login_challenge *c);
void token_leave(struct upstream_ask *a);               /* wait no longer */
void token_drop(struct upstream_ask *a);                /* what was cached for it is refused */
void tokens_free(struct upstream *u);

/* upstream_password - "user:password" of an upstream; false with one line in *why. There is a user */
bool upstream_password(const struct config_upstream *cf, struct str *out, struct str *why);
bool upstream_basic(const struct config_upstream *cf, struct str *header, struct str *why);   /* "Authorization: Basic …" */

#endif
