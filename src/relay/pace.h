/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_PACE_H
#define BERTH_RELAY_PACE_H

/*
 * pace: what follows from an answer of a receiver: how many events the next request has, and when it is due (doc/WEBHOOKS.md, "Retries").
 *
 * No clock and no random numbers of its own: both come with the call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "conf/endpoint.h"

#define PACE_EVENTS 100         /* of one request, at most */
#define PACE_REFUSALS 3         /* of a single event, before it is a dead letter */

struct pace {
	unsigned limit;         /* events of the next request */
	bool singly;            /* the receiver does not know a body of several events */
	unsigned refusals;      /* of the first event alone */
	uint64_t in_row;        /* tries that failed since the last that did not */
};

#define PACE_INIT { .limit = PACE_EVENTS }

struct pace_answer {
	int status;             /* of HTTP; 0: there was none */
	uint64_t retry_after;   /* seconds; 0: it says nothing of it */
	size_t sent;            /* events of the request */
};

enum pace_next {
	PACE_DELIVERED,         /* go on with what follows */
	PACE_AGAIN,             /* try again, p->limit events, after the wait */
	PACE_DEAD,              /* the event has been refused for good: go on without it */
};

/*
 * pace_next - what to do after an answer
 * random   any number, which decides about the jitter
 * wait_ms  milliseconds before the next request; 0: at once
 */
enum pace_next pace_next(struct pace *p, const struct config_endpoint *e, const struct pace_answer *a, uint32_t random, uint64_t *wait_ms);

/* pace_wait - milliseconds to wait after so many failures in a row, 1 or more */
uint64_t pace_wait(const struct config_endpoint *e, uint64_t failures, uint32_t random);

/* pace_gives_up - whether an event of this time is too old for a receiver that fails; seconds since the epoch; 0: unknown */
bool pace_gives_up(const struct pace *p, const struct config_endpoint *e, int64_t when, int64_t now);

#endif
