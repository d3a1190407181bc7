/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiters: a list of replies.
 *
 * Owns its entries. Invariant: a reply that has ended is in no list.
 */
#include "relay/waiters.h"

#include <stdlib.h>

#include "base/mem.h"

struct waiter {
	struct waiter *next, **link;
	struct reply *r;
};

static void waiter_gone(void *arg)
{
	struct waiter *w = arg;

	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	free(w);
}

void waiters_add(struct waiters *ws, struct reply *r)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	*w = (struct waiter){ .next = ws->first, .link = &ws->first, .r = r };
	if (w->next)
		w->next->link = &w->next;
	ws->first = w;
	reply_watch(r, waiter_gone, w);
}

struct reply *waiters_next(struct waiters *ws)
{
	struct reply *r;

	if (!ws->first)
		return NULL;
	r = ws->first->r;
	waiter_gone(ws->first);
	reply_watch(r, NULL, NULL);
	return r;
}

void waiters_release(struct waiters *ws)
{
	while (ws->first)
		waiter_gone(ws->first);
}
