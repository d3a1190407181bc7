/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_CLIENT_H
#define BERTH_RELAY_CLIENT_H

/*
 * client: requests to other hosts; the only module that uses libcurl.
 *
 * Nothing here blocks: libcurl's multi interface on the loop of libevent. TLS is verified. Proxies are those of https_proxy, http_proxy and
 * no_proxy. What comes back is bounded before it is kept.
 *
 * A URL that the operator wrote down may lead anywhere, 127.0.0.1 too. A redirect may lead to the same host, to one of the hosts given
 * with the call, or to any public address, and never from https to http. The address is checked when the socket is made, so that a
 * name that changes its address in between does not get through. Of a GET or HEAD each redirect is followed, of any other method only 307
 * and 308, which keep the method and the body: another 3xx is the answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "os/dir.h"

struct event_base;
struct client;

enum client_fault {
	CLIENT_FAULT_NONE,
	CLIENT_FAULT_REACH,             /* no address, no connection, or it broke off */
	CLIENT_FAULT_TLS,
	CLIENT_FAULT_TIME,
	CLIENT_FAULT_RULE,              /* a bound or a rule of ours */
};

struct client_answer {
	int status;                     /* of HTTP; 0: there is none, and `why` says why */
	const char *why;                /* one line for the operator; "" with a status */
	enum client_fault fault;        /* what kind of reason this is; CLIENT_FAULT_NONE with a status */
	bool elsewhere;                 /* another host than that of the URL answered */
	struct str body;
	struct str headers;             /* of this answer, each with a NUL at its end, for client_header() */
	uint64_t retry_after;           /* seconds, from Retry-After; 0: none */
};

struct client_call {
	const char *method;             /* "POST" */
	const char *url;
	const struct names *headers;    /* "Name: value", each; NULL: none. Another host gets of them only what target_public_header() says */
	const char *body;               /* NULL: none */
	size_t body_len;
	const char *ca;                 /* a file of certificates, in place of the system's; NULL or "": the system's */
	const struct names *hosts;      /* where redirects may lead, beside the URL's own host; NULL: none */
	unsigned connect_ms, timeout_ms;        /* for each connection, and for all of it; never 0 */
	unsigned stall_s;               /* so long without a byte in either direction ends it, before the first one, too; 0: only timeout_ms does */
	unsigned stall_bytes;           /* the same for fewer bytes a second than this, over that time; 0: 1 */
	size_t answer_max;              /* bytes of the answer's body that are kept; the rest makes the call fail */
	/*
	 * A URL that the operator wrote down, and whose host has named `url`: then `url` is treated as a redirect from there, in which address
	 * it may have and which headers it gets. NULL: the operator wrote down `url`.
	 */
	const char *named_by;
	/*
	 * For a body that is not to be kept in memory; both NULL, or neither. `head` is called once, before the first byte of a body that is not a
	 * redirect's to be followed; it returns whether that is to go to `piece`, as it comes, instead of into the answer. `piece` returns false
	 * to give the call up. Both have the `arg` of `done`, and may not begin or cancel requests.
	 */
	bool (*head)(void *arg, const struct client_answer *a);
	bool (*piece)(void *arg, const void *data, size_t len);
};

typedef void client_done(void *arg, const struct client_answer *a);

/* client_open - owned by the caller. SIGPIPE has to be ignored. It reads files of certificates and the variables of proxies when they are needed. */
struct client *client_open(struct event_base *base);

/* client_close - end all requests; their `done` is not called. Never from within a `done` */
void client_close(struct client **c);

/* client_target - the scheme, host and port of a URL; false if it is none of http or https */
struct target;
bool client_target(const char *url, struct target *t);

/*
 * client_begin - begin a request; everything of the call is copied. `done` is called once, never from within client_begin(), unless the
 *                request is cancelled; what it gets is borrowed until it returns. It may begin and cancel other requests
 * Returns a number for client_cancel(), never 0.
 */
uint64_t client_begin(struct client *c, const struct client_call *call, client_done *done, void *arg);

/*
 * client_header - the value of a header, the `which`th of that name, counted from 0; NULL: there is none
 * name  without the colon, in any case. Borrowed from the answer; of any text, on one line
 */
const char *client_header(const struct client_answer *a, const char *name, size_t which);

/* client_cancel - end a request without its `done`; nothing if there is none of this number any more */
void client_cancel(struct client *c, uint64_t id);

#endif
