/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_doubt: asks the workers what came of a change whose line has no mark. A part of `endpoint`.
 *
 * Owns nothing.
 */
#include "relay/endpoint_own.h"

#define WAIT_MOST 5000          /* milliseconds */

static void answered(void *arg, enum settled how)
{
	struct endpoint *e = arg;

	e->doubt.asked = NULL;
	e->doubt.how = how;
	if (how == SETTLED_LATER) {
		e->doubt.due = endpoint_now() + e->doubt.wait;
		e->doubt.wait = e->doubt.wait * 2 < WAIT_MOST ? e->doubt.wait * 2 : WAIT_MOST;
	}
	e->go(e);
}

uint64_t endpoint_doubt(struct endpoint *e)
{
	uint64_t now = endpoint_now();

	if (now < e->doubt.due)
		return e->doubt.due - now;
	e->doubt.asked = workers_settle(e->env->workers, &e->doubt.at, answered, e);
	return 0;
}

void endpoint_doubt_forget(struct endpoint *e)
{
	if (e->doubt.asked)
		workers_cancel(e->doubt.asked);
	e->doubt = (struct doubt){ .how = SETTLED_LATER };
}
