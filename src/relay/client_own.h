/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_CLIENT_OWN_H
#define BERTH_RELAY_CLIENT_OWN_H

/*
 * client_own: what the files of `client` share: a call, and the requests that it takes. Private to src/relay.
 *
 * A call is what client_begin() begins. It takes one request of libcurl's, and one more for each redirect.
 */

#include <curl/curl.h>

#include "relay/client.h"
#include "relay/target.h"

struct event;                           /* libevent's */

struct call {
	struct call *next, **link;
	struct client *client;
	uint64_t id;
	client_done *done;
	void *arg;

	char *method, *ca;
	struct str url, body;           /* without a login, which becomes a header */
	struct str named_by;            /* "": nobody else */
	bool has_body;
	struct names headers, hosts;
	unsigned connect_ms, stall_s, stall_bytes;
	bool (*on_head)(void *arg, const struct client_answer *a);
	bool (*on_piece)(void *arg, const void *data, size_t len);
	bool told, streams;             /* on_head was called; it wants the body in pieces */
	uint64_t deadline;              /* of the monotonic clock, microseconds */
	size_t answer_max;

	CURL *easy;
	bool added;                     /* to the multi handle */
	struct curl_slist *list;        /* headers of the request under way */
	struct target first, at;        /* what the operator wrote down; where it is now */
	bool any;                       /* the address is not checked */
	unsigned redirects;
	char error[CURL_ERROR_SIZE];
	struct str fault;               /* why it is given up, or cannot succeed; "": it is not */
	struct str refused;             /* the address that was refused last; "": none was */

	bool over;
	int status;
	enum client_fault kind;         /* of `fault` */
	uint64_t retry_after;
	size_t head;                    /* bytes of headers so far */
	struct str got;                 /* the headers of the answer under way, as in client_answer */
	struct str answer;
};

struct client {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;            /* libcurl's */
	struct event *soon;             /* calls that are over are to be told */
	struct call *first;
	uint64_t last;
};

/* client_call.c: the life of a call. */
struct call *call_new(struct client *c, const struct client_call *o, client_done *done, void *arg);
void call_free(struct call *call);              /* whatever is under way; its `done` is not called */
void call_stop(struct call *call);              /* libcurl has nothing to do for it any more */
void call_over(struct call *call);              /* it has ended: the loop will tell */
void call_fail(struct call *call, const char *why);     /* the same, for a rule of ours; of several reasons the first counts */
void call_answer(const struct call *call, struct client_answer *a);     /* what is known so far; borrowed from the call */
bool call_follows(const struct call *call, long status);        /* whether a redirect with this status is followed */
void call_tell(struct client *c);               /* call the `done` of all that are over */

/* client_request.c: one request by libcurl. */
void request_set_up(struct call *call);         /* what stays the same in all requests of the call */
int request_start(struct call *call);           /* ask call->url at call->at; 0, or -1 after call_fail() */

/* client_next.c: where a call goes, and what follows when one of its requests has ended. */
bool next_first(struct call *call);             /* take apart the operator's URL, and make a header of its login; false if it is none */
void next_after(struct call *call, CURLcode result);

#endif
