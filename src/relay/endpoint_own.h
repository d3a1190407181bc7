/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_ENDPOINT_OWN_H
#define BERTH_RELAY_ENDPOINT_OWN_H

/* endpoint_own: what the files of `endpoint` share. Private to src/relay. */

#include "base/hook_state.h"
#include "base/time.h"
#include "os/segments.h"
#include "relay/batch.h"
#include "relay/endpoint.h"
#include "relay/pace.h"
#include "relay/readers.h"

struct event;                   /* libevent's, which nobody looks into: base/event.h has another one of this name */

struct doubt {                  /* the line without a mark that the endpoint has come to */
	struct position at;
	uint64_t due, wait;             /* when to ask, and how long to wait after that; milliseconds */
	struct question *asked;         /* NULL: nothing is under way */
	enum settled how;               /* what was answered; SETTLED_LATER: nothing yet */
};

struct endpoint {
	const struct config_endpoint *cf;
	const struct endpoint_env *env;
	void (*go)(struct endpoint *e); /* do what is to be done next */
	struct event *timer, *save_timer;

	struct hook_state st;
	bool loaded, fresh;             /* the state has been read; it has no file yet */
	bool dirty, buried;             /* it has to be written; dead letters have to be written out before */
	uint64_t saved;                 /* when it was written; milliseconds */
	bool complained;                /* of a file that cannot be read or written: once, until it works again */

	struct segment_reader reader;
	struct position settled;        /* all up to here is settled */
	struct position seen;           /* all up to here is settled, or in the batch */
	struct doubt doubt;
	struct batch batch;

	struct pace pace;
	uint64_t due;                   /* before it nothing is sent; milliseconds */
	bool failing;                   /* the log knows that delivery fails */
	uint64_t call;                  /* the request under way; 0: none */
	size_t sent;                    /* events of it */

	bool look;                      /* there may be a request of `berth hooks` */
	struct readers_ask ask;         /* the test under way */
	uint64_t begun;                 /* when it began; microseconds */
};

/* Milliseconds of the monotonic clock. */
static inline uint64_t endpoint_now(void)
{
	return time_now_usec() / 1000;
}

/* endpoint_state.c: the state, in memory and on disk. */
int endpoint_load(struct endpoint *e);                  /* 0, or -1: try again later; it has been logged */
void endpoint_dirty(struct endpoint *e);                /* write the state soon, once a second at most */
int endpoint_save(struct endpoint *e);                  /* write it now if it is to be written; 0, or -1: it has been logged */
void endpoint_settle(struct endpoint *e, const struct position *upto);
void endpoint_seek(struct endpoint *e, const struct position *to);      /* go on behind it, wherever the endpoint was; nothing may be under way */
void endpoint_complain(struct endpoint *e, const char *what, int error);        /* to the log, once */

/* endpoint_read.c: from the journal into the batch. */
enum endpoint_found {
	FOUND_END,                      /* there is no more */
	FOUND_MORE,                     /* there is more, for the next turn */
	FOUND_FULL,                     /* the batch has no more room */
	FOUND_DOUBT,                    /* a line without a mark, e->doubt */
	FOUND_FAULT,                    /* the journal cannot be read; it has been logged */
};
enum endpoint_found endpoint_read(struct endpoint *e);

/* endpoint_doubt.c: asks the workers about e->doubt, when it is time. Returns the milliseconds until then; 0: they are asked, or it is decided. */
uint64_t endpoint_doubt(struct endpoint *e);
void endpoint_doubt_forget(struct endpoint *e);

/* endpoint_send.c: from the batch to the receiver. */
void endpoint_send(struct endpoint *e);                 /* begin a request with the first events; if it cannot begin, e->due says when to try again */
void endpoint_give_up(struct endpoint *e);              /* what is too old for a receiver that fails becomes dead letters */
bool endpoint_request(struct endpoint *e, const char *type, const struct str *body, client_done *done, struct str *why);

/* endpoint_ask.c: what `berth hooks` asks for. */
bool endpoint_answer(struct endpoint *e);               /* whether a test is under way now */

#endif
