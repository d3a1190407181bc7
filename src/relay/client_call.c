/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_call: the life of a call, from its copy of what was asked to the `done` of whoever asked. A part of `client`.
 *
 * Owns the list of calls. Invariant: a `done` is called by call_tell() alone, when nothing of libcurl is on the stack, and after the call has
 * left the list.
 */
#include "relay/client_own.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"

static void copy_names(struct names *to, const struct names *from)
{
	for (size_t i = 0; from && i < from->count; i++)
		names_add(to, from->v[i], strlen(from->v[i]));
}

struct call *call_new(struct client *c, const struct client_call *o, client_done *done, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));

	*call = (struct call){
		.client = c, .id = ++c->last, .next = c->first, .link = &c->first, .done = done, .arg = arg,
		.method = xstrdup(o->method), .ca = o->ca && *o->ca ? xstrdup(o->ca) : NULL,
		.url = STR_SECRET, .named_by = STR_SECRET, .body = STR_INIT, .has_body = o->body != NULL, .connect_ms = o->connect_ms,
		.stall_s = o->stall_s,
		.stall_bytes = o->stall_bytes ? o->stall_bytes : 1, .on_head = o->head, .on_piece = o->piece, .got = STR_SECRET,
		.deadline = time_now_usec() + UINT64_C(1000) * o->timeout_ms, .answer_max = o->answer_max,
		.fault = STR_INIT, .refused = STR_INIT, .answer = STR_INIT, .any = true,
	};
	if (c->first)
		c->first->link = &call->next;
	c->first = call;
	str_puts(&call->url, o->url);
	if (o->named_by)
		str_puts(&call->named_by, o->named_by);
	if (o->body)
		str_add(&call->body, o->body, o->body_len);
	copy_names(&call->headers, o->headers);
	copy_names(&call->hosts, o->hosts);
	call->easy = curl_easy_init();
	if (!call->easy)
		abort();
	return call;
}

/* Headers have passwords and tokens. */
static void wipe_headers(struct call *call)
{
	for (size_t i = 0; i < call->headers.count; i++)
		explicit_bzero(call->headers.v[i], strlen(call->headers.v[i]));
	for (struct curl_slist *l = call->list; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
}

void call_stop(struct call *call)
{
	if (call->added)
		curl_multi_remove_handle(call->client->multi, call->easy);
	call->added = false;
}

void call_free(struct call *call)
{
	call_stop(call);
	wipe_headers(call);
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->list);
	names_release(&call->headers);
	names_release(&call->hosts);
	free(call->method);
	free(call->ca);
	str_release(&call->url);
	str_release(&call->named_by);
	str_release(&call->got);
	str_release(&call->body);
	str_release(&call->fault);
	str_release(&call->refused);
	str_release(&call->answer);
	free(call);
}

void call_over(struct call *call)
{
	call->over = true;
	event_active(call->client->soon, EV_TIMEOUT, 0);
}

void call_fail(struct call *call, const char *why)
{
	if (!call->fault.len)
		str_puts(&call->fault, why);
	if (!call->kind)
		call->kind = CLIENT_FAULT_RULE;
	call_over(call);
}

static struct call *find_over(const struct client *c)
{
	struct call *call = c->first;

	while (call && !call->over)
		call = call->next;
	return call;
}

void call_answer(const struct call *call, struct client_answer *a)
{
	enum client_fault kind = call->kind ? call->kind : CLIENT_FAULT_RULE;

	*a = (struct client_answer){
		.status = call->status, .why = call->status ? "" : call->fault.buf, .fault = call->status ? CLIENT_FAULT_NONE : kind,
		.elsewhere = !target_trusted(&call->first, &call->at), .body = call->answer, .headers = call->got,
		.retry_after = call->retry_after,
	};
}

/* A `done` may begin and cancel calls, so the list is looked through anew each time. */
void call_tell(struct client *c)
{
	struct call *call;

	while ((call = find_over(c))) {
		struct str texts[] = { call->fault, call->answer, call->got };
		struct client_answer a;
		client_done *done = call->done;
		void *arg = call->arg;

		call_answer(call, &a);
		call->fault = call->answer = call->got = (struct str)STR_INIT;
		call_free(call);
		done(arg, &a);
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			str_release(&texts[i]);
	}
}

bool call_follows(const struct call *call, long status)
{
	bool reads = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;

	return status == 307 || status == 308 || (reads && (status == 301 || status == 302 || status == 303));
}
