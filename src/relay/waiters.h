/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_WAITERS_H
#define BERTH_RELAY_WAITERS_H

/* waiters: the replies that wait for one fetch. Each may end meanwhile, since its client has gone: then it waits no more. */

#include "relay/server.h"

struct waiter;

struct waiters {
	struct waiter *first;
};

/* waiters_add - r waits; the list must stay where it is until it is empty */
void waiters_add(struct waiters *ws, struct reply *r);

/* waiters_next - one of them, which waits no more and is the caller's to answer; NULL: nobody waits */
struct reply *waiters_next(struct waiters *ws);

/* waiters_release - nobody waits any more; the replies are the server's to close, or are closed */
void waiters_release(struct waiters *ws);

#endif
