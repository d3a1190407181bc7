/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_pull: what is remembered of pulls.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_pull.h"

#include "store/journal.h"
#include "store/lock.h"
#include "store/pulled.h"

/* Once in a megabyte a segment is begun, under a lock: whoever comes at that moment tries again no longer than this. */
#define PULL_WAIT_MS 20

bool reg_pull_noted(const struct registry *r)
{
	return r->st->journal.pulls && journal_on(r->st);
}

void reg_pull_note(struct registry *r, const struct name *n, const struct tag *tag, const struct digest *d, const char *media_type, uint64_t size)
{
	if (!reg_pull_noted(r))
		return;
	lock_limit(r->st, PULL_WAIT_MS);
	journal_note(r->st, &(struct event){ .action = EVENT_PULL, .repository = n, .tag = tag, .digest = d, .media_type = media_type,
					     .has_size = true, .size = size, .by = r->by });
}

void reg_pull_seen(struct registry *r, const struct name *n, const struct tag *tag, const struct digest *d)
{
	if (!r->cfg->readonly && !r->st->readonly)
		pulled_note(r->st, n, tag, d);
}
