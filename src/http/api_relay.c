/* SPDX-License-Identifier: Apache-2.0 */
/* api_relay: /berth/v1/relay/, what berth-relay asks on its own socket (doc/WEBHOOKS.md, "The relay"). */
#include "http/handlers.h"
#include "registry/reg_event.h"
#include "store/journal.h"

/* What became of a change whose line has no mark. 503: nobody can tell yet. */
int api_relay_settle(struct exchange *x, struct err *e)
{
	cleanup_str struct str id = STR_INIT;
	struct position at;
	char mark;
	int rc;

	if (!journal_kept(x->reg->st))
		return err_set(e, ERR_NAME_UNKNOWN, "there is no journal here: journal.enabled is not set");
	if (request_query(&x->rq, "id", &id) != 1 || position_parse(&at, id.buf, id.len) < 0)
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "id is no id of an event: %.64s", id.buf);
	rc = reg_event_settle(x->reg, &at, false, &mark, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_UNAVAILABLE, "the repository is busy, or the line has been cut off");
	response_json(&x->rs, 200);
	str_addf(&x->rs.body, "{\"mark\":\"%c\"}\n", mark);
	return 0;
}
