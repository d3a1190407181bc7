/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: from a FastCGI request to its answer and its line in the log.
 *
 * Owns one request at a time. Knows no resource: the route table does.
 */
#include "http/serve.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "http/exchange.h"
#include "http/fcgi_io.h"
#include "http/guard.h"
#include "http/h_monitor.h"
#include "http/route.h"
#include "store/lock.h"

/* OPTIONS, or a method that this path does not have under this configuration. */
static int not_allowed(struct exchange *x, struct err *e)
{
	cleanup_str struct str allow = STR_INIT;

	route_allow(x->match.route, x->reg->cfg, &allow);
	response_header(&x->rs, "Allow", "%s", allow.buf);
	if (x->rq.method == METHOD_OPTIONS) {
		x->rs.status = 204;
		return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, "%.32s", x->rq.method_text);
}

static int dispatch(struct exchange *x, struct err *e)
{
	const struct route_match *m = &x->match;

	if (!x->op)
		return not_allowed(x, e);
	if (m->name && name_parse(&x->name, m->name, m->name_len) < 0)
		return err_set(e, ERR_NAME_INVALID, "%.*s", (int)(m->name_len < 200 ? m->name_len : 200), m->name);
	x->tail = m->tail;
	x->tail_len = m->tail_len;
	if (guard_allow(x, e) < 0 || (x->op->check && x->op->check(x, e) < 0))
		return -1;
	if (x->rq.precheck) {
		x->rs.status = 204;
		return 0;
	}
	if (x->op->handle(x, e) < 0)
		return -1;
	guard_done(x);
	return 0;
}

static void log_request(const struct exchange *x, const struct err *failed, uint64_t usec)
{
	/* A precheck that succeeds is only the first half of a request; one that fails is its answer. */
	bool half = x->rq.precheck && !failed;
	bool ours = failed && failed->status >= 500;
	const struct route_match *m = &x->match;
	uint64_t waited = lock_longest_wait(x->reg->st);
	struct log_event ev;

	log_begin(&ev, ours ? LOG_ERROR : half ? LOG_DEBUG : LOG_INFO, half ? "precheck" : "request");
	log_str(&ev, "request_id", x->rq.id);
	log_str(&ev, "method", x->rq.method_text);
	log_str(&ev, "route", m->route ? m->route->label : NULL);
	if (m->name)
		log_strn(&ev, "repository", m->name, m->name_len);
	if (m->tail)
		log_strn(&ev, "reference", m->tail, m->tail_len);
	if (!m->route)
		log_strn(&ev, "path", x->rq.path.buf, x->rq.path.len);
	log_int(&ev, "status", x->rs.status);
	log_ms(&ev, "ms", usec);
	if (waited)
		log_ms(&ev, "lock_ms", waited);
	log_str(&ev, "remote", x->rq.remote);
	if (x->who.kind != IDENTITY_NOBODY)
		log_str(&ev, "user", x->who.user);
	if (failed)
		log_err(&ev, failed);
	log_end(&ev);
}

/* As in the log, a precheck that succeeds is only the first half of a request. */
static void count_request(const struct exchange *x, uint64_t usec)
{
	bool sent = !x->rs.has_length && x->rq.method != METHOD_HEAD && !x->rq.precheck;

	if (x->rq.precheck && x->rs.status < 400)
		return;
	metrics_request(&(struct metrics_request){
		.route = route_number(x->match.route),
		.method = x->rq.method,
		.status = x->rs.status,
		.usec = usec,
		.in = x->rq.precheck ? 0 : x->rq.length,        /* refused before its body came in */
		.out = sent ? x->rs.body.len + x->rs.elsewhere : 0,
	});
}

static void log_monitor(const struct exchange *x, uint64_t usec)
{
	struct log_event ev;

	log_begin(&ev, LOG_DEBUG, "monitor");
	log_strn(&ev, "path", x->rq.path.buf, x->rq.path.len);
	log_int(&ev, "status", x->rs.status);
	log_ms(&ev, "ms", usec);
	log_str(&ev, "remote", x->rq.remote);
	log_end(&ev);
}

static int answer(struct exchange *x, struct err *e)
{
	/* The route is found before the client is identified: a challenge names the right that the route needs. */
	if (route_find(x->rq.path.buf, x->rq.path.len, &x->match))
		x->op = route_op(x->match.route, x->rq.method, x->reg->cfg);
	if (guard_identify(x, e) < 0)
		return -1;
	if (!x->match.route)
		return err_set(e, ERR_NAME_UNKNOWN, "there is nothing at this path");
	return dispatch(x, e);
}

/* A buffer up to this size is kept for the next answer. Only large manifests and pages need more. */
#define KEPT_MAX (64 * 1024)

void serve_request(struct FCGX_Request *fr, struct registry *reg, struct auth *auth)
{
	struct exchange x = { .fr = fr, .rq = REQUEST_INIT, .rs = RESPONSE_INIT, .reg = reg, .auth = auth, .who = IDENTITY_INIT };
	uint64_t begun = time_now_usec(), usec;
	cleanup_err struct err e = ERR_INIT;
	static struct str out = STR_INIT;
	int rc = request_init(&x.rq, fcgi_params(fr), &e);
	bool monitor = rc == 0 && monitor_serve(&x);

	lock_limit(reg->st, LOCK_REQUEST_MS);
	if (rc == 0 && !monitor)
		rc = answer(&x, &e);
	if (rc < 0)
		response_error(&x.rs, &e, x.rq.id);
	/* On every request that has the header, whether or not it was used. */
	if (request_wipe(&x.rq, "HTTP_AUTHORIZATION"))
		fcgi_wipe_read(fr, false);
	out.secret = x.rs.body.secret;
	response_render(&x.rs, &x.rq, &out);
	fcgi_write(fr, out.buf, out.len);       /* it fails only where the client has gone */
	if (out.secret)
		fcgi_wipe_written(fr);
	str_reset(&out);
	usec = time_now_usec() - begun;
	if (monitor) {
		log_monitor(&x, usec);
	} else {
		count_request(&x, usec);
		log_request(&x, rc < 0 ? &e : NULL, usec);
	}
	identity_release(&x.who);
	response_release(&x.rs);
	request_release(&x.rq);
	if (out.cap > KEPT_MAX)
		str_release(&out);
}
