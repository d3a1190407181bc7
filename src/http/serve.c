/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: from a FastCGI request to its answer and its line in the log.
 *
 * Owns one request at a time. Knows no resource: the route table does.
 */
#include "http/serve.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "conf/rules.h"
#include "http/exchange.h"
#include "http/fcgi_io.h"
#include "http/guard.h"
#include "http/h_monitor.h"
#include "http/location.h"
#include "http/mirror.h"
#include "http/reqid.h"
#include "http/route.h"
#include "os/file.h"
#include "registry/denied.h"
#include "registry/reg_pull.h"
#include "registry/reg_quota.h"
#include "store/lock.h"

/* The rule that takes away from this repository what others have; NULL: there is none. */
static const struct rule *refusing_rule(const struct exchange *x)
{
	const struct config *cfg = x->reg->cfg;

	if (!x->op || !x->name.len)
		return NULL;
	return rules_find(cfg, &x->name, rules_readonly(cfg, &x->name) ? RULE_READONLY : RULE_DELETE);
}

/* OPTIONS, or a method that this path does not have under this configuration. */
static int not_allowed(struct exchange *x, struct err *e)
{
	cleanup_str struct str allow = STR_INIT;
	const struct rule *rule = refusing_rule(x);

	route_allow(x->match.route, x->reg->cfg, x->name.len ? &x->name : NULL, &allow);
	response_header(&x->rs, "Allow", "%s", allow.buf);
	if (x->rq.method == METHOD_OPTIONS) {
		x->rs.status = 204;
		return 0;
	}
	if (!rule)
		return err_set(e, ERR_UNSUPPORTED, "%.32s", x->rq.method_text);
	err_set(e, ERR_UNSUPPORTED, "%s: the rule for \"%.100s\" says so",
		rules_readonly(x->reg->cfg, &x->name) ? "the repository is read-only" : "nothing in the repository may be deleted", rule->repo);
	return err_plain(e);
}

#define STALE_TRIES 5

/*
 * An open file that another machine removes or replaces becomes stale on some network file systems. The one that reads looks again;
 * nothing has been sent yet.
 */
static int handle_read(struct exchange *x, struct err *e)
{
	size_t had = x->rs.nheaders;
	int rc = x->op->handle(x, e), tries;

	for (tries = 0; rc < 0 && e->sys == ESTALE && tries < STALE_TRIES; tries++) {
		err_release(e);
		*e = (struct err)ERR_INIT;
		response_cut(&x->rs, had);
		rc = x->op->handle(x, e);
	}
	return rc;
}

/* What a request that fails has brought close to a quota is its own doing, and not that of the next one. */
static int call(struct exchange *x, struct err *e)
{
	int rc = x->op->kind == OP_READ && (x->rq.method == METHOD_GET || x->rq.method == METHOD_HEAD) ? handle_read(x, e) : x->op->handle(x, e);

	if (rc < 0 && x->op->kind != OP_READ)
		reg_quota_tell(x->reg, &x->name);
	return rc;
}

/* Who makes a change is told to the journal and to lists, and who reads, if pulls are in the journal. */
static int handle(struct exchange *x, struct err *e)
{
	cleanup_str struct str agent = STR_INIT, base = STR_INIT;
	struct event_by by;
	int rc;

	if (x->op->kind == OP_READ && !reg_pull_noted(x->reg))
		return call(x, e);
	guard_by(x, &agent, &base, &by);
	x->reg->by = &by;
	rc = call(x, e);
	x->reg->by = NULL;
	return rc;
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
	if (guard_origin(x, e) < 0 || guard_allow(x, e) < 0 || mirror_enter(x, e) < 0)
		return -1;
	/* After the rights are checked: an answer by the rules of a repository tells something of them. */
	if (m->name && !route_op(m->route, x->rq.method, x->reg->cfg, &x->name))
		return not_allowed(x, e);
	if (x->op->check && x->op->check(x, e) < 0)
		return -1;
	if (x->rq.precheck) {
		x->rs.status = 204;
		return 0;
	}
	if (handle(x, e) < 0)
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
	bool sent = (!x->rs.has_length || x->rs.file >= 0) && x->rq.method != METHOD_HEAD && !x->rq.precheck;

	if (x->rq.precheck && x->rs.status < 400)
		return;
	if (x->upstream && x->rs.status == 200 && sent)
		metrics_add(METRIC_CACHE_SENT_BYTES, x->rs.body.len + x->rs.elsewhere);
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

/*
 * An encoded slash within the name of a repository is a slash: some clients encode the whole name. Anywhere else it would make
 * a path that the web server and others may read in another way.
 */
static int check_slashes(const struct exchange *x, struct err *e)
{
	const struct request *rq = &x->rq;
	const struct route_match *m = &x->match;
	size_t from = m->name ? (size_t)(m->name - rq->path.buf) : 0;

	if (!rq->slashes || (m->name && rq->first_slash >= from && rq->last_slash < from + m->name_len))
		return 0;
	return err_set(e, ERR_NAME_INVALID, "the path holds an encoded slash");
}

/* A route that is not meant for this socket does not exist here: the relay's has its own, all others have all others. */
static bool find_route(struct exchange *x)
{
	if (!route_find(x->rq.path.buf, x->rq.path.len, &x->match))
		return false;
	if (route_is_of_relay(x->match.route) == x->relay)
		return true;
	x->match = (struct route_match){ 0 };
	return false;
}

#define PERSONAL "/berth/v1/"

/* What the page's API answers is for the one who asks, the errors too: no cache keeps it, and none gives it to somebody else. */
static void keep_personal(struct exchange *x)
{
	x->personal = !x->relay && x->rq.path.len >= strlen(PERSONAL) && memcmp(x->rq.path.buf, PERSONAL, strlen(PERSONAL)) == 0;
	if (!x->personal)
		return;
	response_header(&x->rs, "Cache-Control", "no-store");
	response_header(&x->rs, "Vary", "Cookie, Authorization");
	response_header(&x->rs, "Cross-Origin-Resource-Policy", "same-origin");
}

static int answer(struct exchange *x, struct err *e)
{
	/* The prefix is of clients' URLs. */
	if (!x->relay && location_unprefix(x, e) < 0)
		return -1;
	keep_personal(x);
	/* The route is found before the client is identified: a challenge names the right that the route needs. */
	if (find_route(x))
		x->op = route_op(x->match.route, x->rq.method, x->reg->cfg, NULL);
	if (check_slashes(x, e) < 0 || mirror_space(x, e) < 0 || guard_identify(x, e) < 0)
		return -1;
	if (!x->match.route)
		return err_set(e, ERR_NAME_UNKNOWN, "there is nothing at this path");
	return dispatch(x, e);
}

/* If it fails, fewer bytes are sent than Content-Length has announced, and the web server closes the client's connection. */
static void send_file(struct FCGX_Request *fr, int fd)
{
	static char buf[64 * 1024];
	ssize_t n;

	while ((n = os_read_full(fd, buf, sizeof(buf))) > 0)
		if (fcgi_write(fr, buf, (size_t)n) < 0)
			return;
}

/* A buffer up to this size is kept for the next answer. Only large manifests and pages need more. */
#define KEPT_MAX (64 * 1024)

void serve_request(struct FCGX_Request *fr, struct registry *reg, struct auth *auth, bool relay)
{
	struct exchange x = { .fr = fr, .relay = relay, .rq = REQUEST_INIT, .rs = RESPONSE_INIT, .reg = reg, .auth = auth, .who = IDENTITY_INIT,
			      .full = STR_INIT, .space = STR_INIT };
	uint64_t begun = time_now_usec(), usec;
	cleanup_err struct err e = ERR_INIT;
	static struct str out = STR_INIT;
	char id[REQID_LEN + 1];
	int rc = request_init(&x.rq, fcgi_params(fr), &e);
	bool monitor, wiped;

	if (!*x.rq.id) {
		reqid_make(id);
		x.rq.id = id;
		response_header_more(&x.rs, REQID_HEADER, id);
	}
	monitor = rc == 0 && monitor_serve(&x);
	lock_limit(reg->st, LOCK_REQUEST_MS);
	if (rc == 0 && !monitor)
		rc = answer(&x, &e);
	if (rc < 0)
		response_error(&x.rs, &e, x.rq.id);
	/* On every request that has one of the headers, whether or not it was used. */
	wiped = request_wipe(&x.rq, "HTTP_AUTHORIZATION");
	wiped = request_wipe(&x.rq, "HTTP_COOKIE") || wiped;
	if (wiped)
		fcgi_wipe_read(fr, false);
	out.secret = x.rs.body.secret;
	response_render(&x.rs, &x.rq, &out);
	fcgi_write(fr, out.buf, out.len);       /* it fails only where the client has gone */
	if (x.rs.file >= 0)
		send_file(fr, x.rs.file);
	if (out.secret)
		fcgi_wipe_written(fr);
	str_reset(&out);
	usec = time_now_usec() - begun;
	if (monitor) {
		log_monitor(&x, usec);
	} else {
		count_request(&x, usec);
		log_request(&x, rc < 0 ? &e : NULL, usec);
		if (rc < 0)
			denied_met(reg, &e);
	}
	identity_release(&x.who);
	str_release(&x.full);
	str_release(&x.space);
	response_release(&x.rs);
	request_release(&x.rq);
	if (out.cap > KEPT_MAX)
		str_release(&out);
}
