/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_send: requests to the receiver, and what follows from its answers. A part of `endpoint`.
 *
 * Owns nothing. Invariant: an event leaves the batch when the receiver has accepted it, or when it is among the dead letters.
 */
#include "relay/endpoint_own.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "relay/sign.h"

#define ANSWER_MAX (64 * 1024)  /* bytes of an answer */
#define ANSWER_KEPT 512         /* of it in a dead letter */

static uint32_t any_number(void)
{
	uint32_t n;

	os_random(&n, sizeof(n));
	return n;
}

static void add_header(struct names *headers, const struct str *line)
{
	names_add(headers, line->buf, line->len);
}

/* Secrets are read for each request: a new one counts without a reload. */
static int put_headers(struct endpoint *e, const char *type, const struct str *body, struct names *headers, struct str *why)
{
	cleanup_str struct str line = STR_SECRET, value = STR_SECRET;
	size_t i;

	str_addf(&line, "Content-Type: %s", type);
	add_header(headers, &line);
	for (i = 0; i < e->cf->nheaders; i++) {
		const struct endpoint_header *h = &e->cf->headers[i];

		if (!h->value && sign_read(h->file, &value, why) < 0)
			return -1;
		str_reset(&line);
		str_addf(&line, "%s: %s", h->name, h->value ? h->value : value.buf);
		add_header(headers, &line);
	}
	if (!e->cf->secret_file || !e->cf->secret_file[0])
		return 0;
	if (sign_read(e->cf->secret_file, &value, why) < 0)
		return -1;
	str_reset(&line);
	sign_header(&line, &value, (int64_t)time(NULL), body);
	add_header(headers, &line);
	return 0;
}

static void wipe(struct names *headers)
{
	size_t i;

	for (i = 0; i < headers->count; i++)
		explicit_bzero(headers->v[i], strlen(headers->v[i]));
	names_release(headers);
}

bool endpoint_request(struct endpoint *e, const char *type, const struct str *body, client_done *done, struct str *why)
{
	struct names headers = NAMES_INIT;
	unsigned ms = e->cf->timeout < 3600 ? (unsigned)e->cf->timeout * 1000 : 3600 * 1000;
	const struct client_call call = {
		.method = "POST", .url = e->cf->url, .headers = &headers, .body = body->buf, .body_len = body->len, .ca = e->cf->ca,
		.hosts = &e->cf->hosts, .connect_ms = ms, .timeout_ms = ms, .answer_max = ANSWER_MAX,
	};

	if (put_headers(e, type, body, &headers, why) == 0)
		e->call = client_begin(e->env->client, &call, done, e);
	wipe(&headers);
	return e->call != 0;
}

static void log_failure(const struct endpoint *e)
{
	struct log_event ev;

	log_begin(&ev, LOG_WARN, "hook_fails");
	log_str(&ev, "endpoint", e->cf->name);
	if (e->st.status)
		log_int(&ev, "status", e->st.status);
	log_str(&ev, "error", e->st.why);
	log_end(&ev);
}

static void log_recovery(const struct endpoint *e)
{
	struct log_event ev;

	log_begin(&ev, LOG_INFO, "hook_recovered");
	log_str(&ev, "endpoint", e->cf->name);
	log_int(&ev, "after", (int64_t)e->st.in_row);
	log_end(&ev);
}

static void log_dead(const struct endpoint *e, const char *id, size_t count)
{
	struct log_event ev;

	log_begin(&ev, LOG_WARN, "hook_dead_letter");
	log_str(&ev, "endpoint", e->cf->name);
	log_str(&ev, "id", id);
	log_int(&ev, "count", (int64_t)count);
	if (e->st.status)
		log_int(&ev, "status", e->st.status);
	log_str(&ev, "error", e->st.why);
	log_end(&ev);
}

/* Not before so many milliseconds. */
static void wait_for(struct endpoint *e, uint64_t ms)
{
	e->due = ms ? endpoint_now() + ms : 0;
	e->st.next_try = ms ? (int64_t)time(NULL) + (int64_t)(ms + 999) / 1000 : 0;
}

/* The first event becomes a dead letter: whether it could be written down. */
static bool bury(struct endpoint *e, const char *what, const struct str *answer)
{
	cleanup_str struct str line = STR_INIT;
	char now[TIME_RFC3339_MAX];
	struct position at;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	time_rfc3339(now, &ts, 1);
	str_addf(&line, "{\"time\":\"%s\",\"what\":\"%s\",\"status\":%d,\"why\":\"", now, what, e->st.status);
	str_add_json(&line, e->st.why, strlen(e->st.why));
	str_puts(&line, "\",\"answer\":\"");
	if (answer)
		str_add_json(&line, answer->buf, answer->len < ANSWER_KEPT ? answer->len : ANSWER_KEPT);
	str_puts(&line, "\",\"event\":");
	batch_data(&e->batch, &line);
	str_puts(&line, "}\n");
	if (readers_bury(e->env->dirfd, e->cf->name, &line) < 0) {
		endpoint_complain(e, "cannot write a dead letter", errno);
		wait_for(e, pace_wait(e->cf, e->pace.in_row ? e->pace.in_row : 1, any_number()));
		return false;
	}
	e->buried = true;
	e->st.dead++;
	at = batch_drop(&e->batch, 1);
	endpoint_settle(e, &at);
	return true;
}

void endpoint_give_up(struct endpoint *e)
{
	int64_t now = (int64_t)time(NULL);
	char id[BATCH_ID_MAX + 1];
	size_t count = 0;

	while (batch_count(&e->batch) && pace_gives_up(&e->pace, e->cf, batch_first(&e->batch)->when, now)) {
		if (!count)
			memcpy(id, batch_first(&e->batch)->id, sizeof(id));
		if (!bury(e, "too old", NULL))
			break;
		count++;
	}
	if (count)
		log_dead(e, id, count);
}

static void set_why(struct endpoint *e, int status, const char *why)
{
	cleanup_str struct str text = STR_INIT;

	e->st.status = status;
	if (status)
		str_addf(&text, "HTTP %d", status);
	else
		str_puts(&text, why[0] ? why : "no answer");
	str_cut(&text, text.len < HOOK_WHY_MAX - 1 ? text.len : HOOK_WHY_MAX - 1);
	memcpy(e->st.why, text.buf, text.len + 1);
}

static void succeed(struct endpoint *e, const struct pace_answer *a)
{
	struct position at = batch_drop(&e->batch, a->sent);

	if (e->failing)
		log_recovery(e);
	e->failing = false;
	e->st.in_row = 0;
	e->st.status = a->status;
	e->st.why[0] = '\0';
	e->st.delivered += a->sent;
	e->st.delivered_at = (int64_t)time(NULL);
	endpoint_settle(e, &at);
}

static void fail(struct endpoint *e, enum pace_next next, uint64_t ms, const struct str *answer)
{
	char id[BATCH_ID_MAX + 1];

	e->st.in_row = e->pace.in_row;
	e->st.failed++;
	e->st.failed_at = (int64_t)time(NULL);
	if (next == PACE_DEAD) {
		memcpy(id, batch_first(&e->batch)->id, sizeof(id));
		if (bury(e, "refused", answer))
			log_dead(e, id, 1);
	} else if (ms && !e->failing) {
		e->failing = true;
		log_failure(e);
	}
	endpoint_dirty(e);
}

static void finish(struct endpoint *e, int status, const char *why, uint64_t retry_after, const struct str *answer)
{
	const struct pace_answer a = { .status = status, .retry_after = retry_after, .sent = e->sent };
	enum pace_next next;
	uint64_t ms;

	e->call = 0;
	next = pace_next(&e->pace, e->cf, &a, any_number(), &ms);
	wait_for(e, ms);
	if (next == PACE_DELIVERED) {
		succeed(e, &a);
		return;
	}
	set_why(e, status, why);
	fail(e, next, ms, answer);
}

static void answered(void *arg, const struct client_answer *a)
{
	struct endpoint *e = arg;

	finish(e, a->status, a->why ? a->why : "", a->retry_after, &a->body);
	e->go(e);
}

void endpoint_send(struct endpoint *e)
{
	cleanup_str struct str body = STR_INIT, why = STR_INIT;
	const char *type;

	e->sent = batch_body(&e->batch, format_of(e->cf->format), &e->env->source, e->pace.limit, &body, &type);
	if (!endpoint_request(e, type, &body, answered, &why))
		finish(e, 0, why.buf, 0, NULL);
}
