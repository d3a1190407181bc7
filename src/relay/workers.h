/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_WORKERS_H
#define BERTH_RELAY_WORKERS_H

/* workers: what the relay asks of berth's workers, by FastCGI over a Unix socket that is theirs alone. Nothing blocks. */

#include "base/str.h"
#include "base/str.h"
#include "os/segments.h"

struct event_base;
struct question;
struct workers;

/* workers_open - owned by the caller. Nothing is connected yet: the socket need not exist */
struct workers *workers_open(struct event_base *base, const char *socket);

/* workers_close - end all questions without their `done`; never from within a `done` */
void workers_close(struct workers **w);

/* What is said of a line of the journal that has no mark yet. */
enum settled {
	SETTLED_DONE,                   /* the change was made */
	SETTLED_UNDONE,                 /* it was not */
	SETTLED_LATER,                  /* ask again, but not at once: its repository is busy, or no worker answers */
};

typedef void workers_settled(void *arg, enum settled how);

/*
 * workers_settle - ask about the line at this position; `done` is called once, never from within this call, unless the question is cancelled or
 *                  workers_close() comes first. It may ask further questions
 * Returns the question, for workers_cancel() until `done` is called.
 */
struct question *workers_settle(struct workers *w, const struct position *at, workers_settled *done, void *arg);
void workers_cancel(struct question *q);

/* What a worker answered. */
struct workers_answer {                 /* borrowed until `done` returns */
	int status;                     /* as of HTTP; 0: no worker has answered */
	const char *body;
	size_t len;
};

typedef void workers_done(void *arg, const struct workers_answer *a);

/*
 * workers_ask - ask anything; otherwise as workers_settle()
 * request   made by fcgi_ask() or fcgi_ask_body(); copied
 * patience  seconds without a byte in either direction
 */
struct question *workers_ask(struct workers *w, const struct str *request, unsigned patience, workers_done *done, void *arg);

#endif
