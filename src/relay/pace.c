/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: exponential backoff, smaller requests after a refusal, larger ones after a success.
 *
 * Owns no state but what it is given. Knows neither events nor requests.
 */
#include "relay/pace.h"

#define WAIT_LEAST_MS 100

static bool is_refusal(int status)
{
	return status == 400 || status == 413 || status == 422;
}

uint64_t pace_wait(const struct config_endpoint *e, uint64_t failures, uint32_t random)
{
	uint64_t most = e->backoff_max * 1000, wait = e->backoff * 1000;

	for (; failures > 1 && wait < most; failures--)
		wait *= 2;
	if (wait > most)
		wait = most;
	if (wait < WAIT_LEAST_MS)
		wait = WAIT_LEAST_MS;
	/* Half of it is random: endpoints that failed together come again one by one. */
	return wait / 2 + (uint64_t)random % (wait / 2 + 1);
}

/* After a refusal the next requests grow slowly: what was refused may be close. */
static void grow(struct pace *p)
{
	if (p->singly)
		return;
	p->limit += p->limit / 4 + 1;
	if (p->limit > PACE_EVENTS)
		p->limit = PACE_EVENTS;
}

static enum pace_next refused(struct pace *p, const struct config_endpoint *e, size_t sent, uint32_t random, uint64_t *wait_ms)
{
	if (sent > 1) {
		p->limit = (unsigned)(sent / 2);
		return PACE_AGAIN;
	}
	if (++p->refusals >= PACE_REFUSALS) {
		p->refusals = 0;
		return PACE_DEAD;
	}
	*wait_ms = pace_wait(e, p->refusals, random);
	return PACE_AGAIN;
}

enum pace_next pace_next(struct pace *p, const struct config_endpoint *e, const struct pace_answer *a, uint32_t random, uint64_t *wait_ms)
{
	*wait_ms = 0;
	if (a->status >= 200 && a->status < 300) {
		p->in_row = 0;
		p->refusals = 0;
		grow(p);
		return PACE_DELIVERED;
	}
	p->in_row++;
	if (is_refusal(a->status))
		return refused(p, e, a->sent, random, wait_ms);
	if (a->status == 415 && a->sent > 1) {
		p->singly = true;
		p->limit = 1;
		return PACE_AGAIN;
	}
	*wait_ms = pace_wait(e, p->in_row, random);
	if ((a->status == 429 || a->status == 503) && a->retry_after)
		*wait_ms = (a->retry_after < e->backoff_max ? a->retry_after : e->backoff_max) * 1000;
	return PACE_AGAIN;
}

bool pace_gives_up(const struct pace *p, const struct config_endpoint *e, int64_t when, int64_t now)
{
	return p->in_row && e->give_up && when && now > when && (uint64_t)(now - when) > e->give_up;
}
