/* SPDX-License-Identifier: Apache-2.0 */
/* api_events: /berth/v1/events, the journal as far as the caller may see it (doc/EVENTS.md, "From a program"). */
#include <string.h>

#include "base/pattern.h"
#include "http/api.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "registry/reg_event.h"
#include "store/journal.h"

#define EVENTS_PAGE 100
#define EVENTS_MAX 1000
#define ASK_AGAIN 5                     /* seconds */

static int read_after(struct exchange *x, struct event_query *q, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int found = api_parameter(x, "after", &text, e);

	if (found <= 0)
		return found;
	if (strcmp(text.buf, "now") == 0)
		return reg_event_end(x->reg, &q->after, e) < 0 ? -1 : 1;
	if (position_parse(&q->after, text.buf, text.len) == 0)
		return 0;
	return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "after is no id of an event: %.64s", text.buf);
}

static int read_query(struct exchange *x, struct event_query *q, struct str *repo, struct err *e)
{
	const char *fault;
	int found = api_parameter(x, "repo", repo, e);

	if (found < 0)
		return -1;
	if (found && (fault = pattern_fault(repo->buf)))
		return err_set(e, ERR_NAME_INVALID, "the pattern %s", fault);
	q->repo = found ? repo->buf : NULL;
	return api_number(x, EVENTS_PAGE, EVENTS_MAX, &q->max, e);
}

static int add(void *arg, const char *id, const struct event_line *ev, struct err *e)
{
	struct str *out = arg;

	(void)e;
	str_addf(out, "%s{\"id\":\"%s\",", out->buf[out->len - 1] == '[' ? "" : ",", id);
	str_add(out, ev->json.s + 1, ev->json.len - 1);
	return 0;
}

/* `before`: 1, 0 there is none, -1 with *e. With "now" q->after stays empty. */
static int read_before(struct exchange *x, struct event_query *q, struct err *e)
{
	cleanup_str struct str text = STR_INIT, after = STR_INIT;
	int found = api_parameter(x, "before", &text, e), both = found == 1 ? api_parameter(x, "after", &after, e) : 0;

	if (found <= 0 || both < 0)
		return found < 0 || both < 0 ? -1 : 0;
	if (both)
		return api_refuse(e, "before and after are two directions");
	if (strcmp(text.buf, "now") == 0 || position_parse(&q->after, text.buf, text.len) == 0)
		return 1;
	return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "before is no id of an event: %.64s", text.buf);
}

/* The newest first. */
static int read_back(struct exchange *x, struct event_query *q, struct err *e)
{
	char next[POSITION_LEN + 1];

	if (reg_event_read_back(x->reg, q, add, &x->rs.body, e) < 0)
		return -1;
	str_addc(&x->rs.body, ']');
	position_text(&q->next, next);
	if (q->more)
		str_addf(&x->rs.body, ",\"next\":\"%s\"", next);
	str_puts(&x->rs.body, "}\n");
	return 0;
}

int api_events_get(struct exchange *x, struct err *e)
{
	cleanup_str struct str repo = STR_INIT;
	cleanup_repo_filter struct repo_filter of = REPO_FILTER_INIT;
	struct event_query q = { 0 };
	char next[POSITION_LEN + 1];
	size_t empty;
	int now, back;

	if (!journal_kept(x->reg->st))
		return err_set(e, ERR_NAME_UNKNOWN, "there is no journal here: journal.enabled is not set");
	if (read_query(x, &q, &repo, e) < 0 || (now = read_after(x, &q, e)) < 0 || (back = read_before(x, &q, e)) < 0)
		return -1;
	q.of = guard_may_pull(x, &of);
	response_json(&x->rs, 200);
	response_header(&x->rs, "Cache-Control", "no-store");
	str_puts(&x->rs.body, "{\"events\":[");
	if (back)
		return read_back(x, &q, e);
	empty = x->rs.body.len;
	if (now)
		q.next = q.after;
	else if (reg_event_read(x->reg, &q, add, &x->rs.body, e) < 0)
		return -1;
	if (x->rs.body.len == empty && !q.more)
		response_header(&x->rs, "Retry-After", "%d", ASK_AGAIN);
	position_text(&q.next, next);
	str_addf(&x->rs.body, "],\"next\":\"%s\"}\n", next);
	return 0;
}
