/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: authenticates requests and checks the rights that their operations need.
 *
 * Owns the lines of the audit about requests. Knows no scheme of authentication: auth does.
 */
#include "http/guard.h"

#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "conf/rules.h"
#include "http/cookie.h"
#include "http/location.h"
#include "http/origin.h"

static void audit(const struct exchange *x, const char *action, const char *need, const char *reason)
{
	size_t digest_len;
	const char *digest = response_find(&x->rs, "Docker-Content-Digest", &digest_len);
	struct log_event ev;

	log_audit(&ev, action);
	if (x->who.user[0])
		log_str(&ev, "user", x->who.user);
	log_str(&ev, "remote", x->rq.remote);
	log_str(&ev, "request_id", x->rq.id);
	log_str(&ev, "method", x->rq.method_text);
	log_str(&ev, "right", need);
	if (x->name.len)
		log_str(&ev, "repository", x->name.s);
	if (x->tail_len)
		log_strn(&ev, "reference", x->tail, x->tail_len);
	log_strn(&ev, "digest", digest, digest_len);
	log_str(&ev, "reason", reason);
	log_end(&ev);
}

static enum right right_of(enum op_need need)
{
	return need == NEED_PUSH ? RIGHT_PUSH : need == NEED_DELETE ? RIGHT_DELETE : RIGHT_PULL;
}

static const char *need_name(enum op_need need)
{
	return need == NEED_CATALOG ? "catalog" : need == NEED_ADMIN ? "admin" : need == NEED_ANYBODY ? "anybody" : right_name(right_of(need));
}

static void add_scope(struct scopes *s, const char *type, const char *name, unsigned actions)
{
	struct scope one;

	if (scope_init(&one, type, strlen(type), name, strlen(name)) < 0)
		return;
	one.actions = actions;
	scopes_add(s, &one);
}

/* The source of a mount, if the request is one and names a valid repository. */
static bool mount_source(const struct exchange *x, struct name *from)
{
	cleanup_str struct str text = STR_INIT;

	if (x->rq.method != METHOD_POST || request_query(&x->rq, "mount", &text) != 1)
		return false;
	str_reset(&text);
	return request_query(&x->rq, "from", &text) == 1 && name_parse(from, text.buf, text.len) == 0;
}

/* The scopes of a token that suffices for the request. A push also pulls: it asks first whether blobs exist. */
static void add_needs(const struct exchange *x, struct scopes *s)
{
	struct name name, from;

	if (!x->op)
		return;
	if (x->op->need == NEED_CATALOG)
		add_scope(s, "registry", "catalog", SCOPE_ALL);
	if (x->op->need < NEED_PULL || x->op->need > NEED_DELETE || name_parse(&name, x->match.name, x->match.name_len) < 0)
		return;
	add_scope(s, "repository", name.s, x->op->need == NEED_PUSH ? SCOPE_PULL | SCOPE_PUSH : (unsigned)right_of(x->op->need));
	if (x->op->need == NEED_PUSH && mount_source(x, &from))
		add_scope(s, "repository", from.s, SCOPE_PULL);
}

/* Whether a script in a browser asks. Whoever opens an address of the API in a browser can log in by the browser's own form. */
static bool is_of_page(const struct exchange *x)
{
	const char *mode = request_param(&x->rq, "HTTP_SEC_FETCH_MODE");

	return request_param(&x->rq, "HTTP_BERTH_REQUEST") || (mode && strcmp(mode, "navigate") != 0);
}

/* With UNAUTHORIZED, adds the challenge that tells the client how to log in. */
static int challenge(struct exchange *x, const struct err *e)
{
	cleanup_str struct str value = STR_INIT, host = STR_INIT;
	cleanup_scopes struct scopes needs = SCOPES_INIT;
	struct challenge c = {
		.scheme = location_scheme(x),
		.error = x->who.error,
		.scopes = &needs,
		.password = x->op && x->op->need == NEED_TOKEN,
	};

	if (e->code != ERR_UNAUTHORIZED)
		return -1;
	/* The page has a form of its own. A browser that is told of Basic would show another one. */
	if (x->personal && is_of_page(x)) {
		response_header(&x->rs, "WWW-Authenticate", "Berth-Session realm=\"%s\"", x->reg->cfg->auth.realm);
		return -1;
	}
	if (location_host(x, &host))
		c.host = host.buf;
	add_needs(x, &needs);
	auth_challenge(x->auth, &c, &value);
	response_header(&x->rs, "WWW-Authenticate", "%s", value.buf);
	return -1;
}

static int refused(struct exchange *x, unsigned retry_after, const struct err *e)
{
	audit(x, "login_refused", NULL, x->who.refused);
	metrics_add(e->status == 429 ? METRIC_LOGIN_THROTTLED : e->status == 503 ? METRIC_LOGIN_UNAVAILABLE : METRIC_LOGIN_WRONG, 1);
	if (retry_after)
		response_header(&x->rs, "Retry-After", "%u", retry_after);
	return challenge(x, e);
}

int guard_identify(struct exchange *x, struct err *e)
{
	cleanup_str struct str header = STR_SECRET, cookie = STR_SECRET;
	struct credentials c = { .remote = x->rq.remote, .remote_user = request_param(&x->rq, "REMOTE_USER"), .store = x->reg->st };
	unsigned retry_after = 0;
	int rc;

	if (request_header(&x->rq, "HTTP_AUTHORIZATION", &header))
		c.authorization = header.buf;
	if (x->personal && cookie_find(x, &cookie))
		c.cookie = cookie.buf;
	/* OPTIONS needs no login: browsers send a preflight without credentials. */
	rc = x->rq.method == METHOD_OPTIONS ? 0 : auth_identify(x->auth, &c, &x->who, &retry_after, e);
	return rc == 0 ? 0 : refused(x, retry_after, e);
}

bool guard_is_of_proxy(const struct exchange *x)
{
	const char *said = request_param(&x->rq, "REMOTE_USER");

	return auth_on(x->auth) && x->reg->cfg->auth.remote_user && said && said[0];
}

const char *guard_login(const struct exchange *x)
{
	if (x->who.bearer)
		return "token";
	if (x->who.kind == IDENTITY_NOBODY)
		return "anonymous";
	if (x->who.session)
		return "session";
	if (x->who.robot)
		return "robot";
	return guard_is_of_proxy(x) ? "proxy" : "password";
}

void guard_by(struct exchange *x, struct str *agent, struct str *base, struct event_by *by)
{
	location_base(x, base);
	request_header(&x->rq, "HTTP_USER_AGENT", agent);
	*by = (struct event_by){
		.user = x->who.user, .login = guard_login(x), .remote = x->rq.remote, .agent = agent->buf, .request_id = x->rq.id,
		.method = x->rq.method_text, .base = base->buf,
	};
}

int guard_password(struct exchange *x, const char *user, const char *password, size_t len, struct err *e)
{
	struct credentials c = { .remote = x->rq.remote };
	unsigned retry_after;

	if (auth_by_password(x->auth, &c, user, password, len, &x->who, &retry_after, e) == 0)
		return 0;
	return refused(x, retry_after, e);
}

int guard_refresh(struct exchange *x, const char *token, size_t len, struct err *e)
{
	return auth_by_refresh(x->auth, token, len, &x->who, e) == 0 ? 0 : refused(x, 0, e);
}

int guard_refuse(struct exchange *x, const struct err *e)
{
	return x->who.refused ? refused(x, 0, e) : challenge(x, e);
}

int guard_origin(struct exchange *x, struct err *e)
{
	bool by_header = request_param(&x->rq, "HTTP_AUTHORIZATION") && !x->who.session && !guard_is_of_proxy(x);

	if (origin_check(x, by_header, e) == 0)
		return 0;
	audit(x, "right_refused", need_name(x->op->need), e->detail);
	return -1;
}

static int check_need(struct exchange *x, struct err *e)
{
	switch (x->op->need) {
	case NEED_RELAY:
		if (x->relay)
			return 0;
		break;
	case NEED_ANYBODY:
		return 0;
	case NEED_LOGIN:
		return auth_require_login(x->auth, &x->who, e);
	case NEED_TOKEN:
		if (auth_issues_tokens(x->auth))
			return 0;
		return err_set(e, ERR_NAME_UNKNOWN, "there is no token service here");
	case NEED_CATALOG:
		return auth_require_catalog(x->auth, &x->who, e);
	case NEED_PULL:
	case NEED_PUSH:
	case NEED_DELETE:
		return auth_require(x->auth, &x->who, right_of(x->op->need), &x->name, e);
	case NEED_ADMIN:
		return auth_require_admin(x->auth, &x->who, e);
	case NEED_UNSAID:
		break;
	}
	return err_set(e, ERR_DENIED, "%s", "");
}

int guard_allow(struct exchange *x, struct err *e)
{
	enum op_need need = x->op->need;

	if (check_need(x, e) == 0)
		return 0;
	/* A client asks for /v2/ without a login to learn whether it needs one: that is no refusal for the audit. */
	if (need != NEED_LOGIN && need != NEED_TOKEN)
		audit(x, "right_refused", need_name(need), NULL);
	return challenge(x, e);
}

int guard_allow_mount(struct exchange *x, struct err *e)
{
	struct name from;

	if (!x->who.bearer || !mount_source(x, &from) || auth_require_source(x->auth, &x->who, &from, e) == 0)
		return 0;
	audit(x, "right_refused", right_name(RIGHT_PULL), "the source of a mount");
	return challenge(x, e);
}

static bool may_pull(void *arg, const struct name *n)
{
	const struct exchange *x = arg;

	return auth_may(x->auth, &x->who, RIGHT_PULL, n);
}

const struct repo_filter *guard_may_pull(struct exchange *x, struct repo_filter *of)
{
	if (auth_may_all(x->auth, &x->who, RIGHT_PULL))
		return NULL;
	of->has = may_pull;
	of->arg = x;
	auth_may_patterns(x->auth, &x->who, RIGHT_PULL, &of->patterns);
	return of;
}

static bool may_list(void *arg, const struct name *n)
{
	const struct exchange *x = arg;

	return auth_may_list(x->auth, &x->who, n);
}

const struct repo_filter *guard_may_list(struct exchange *x, struct repo_filter *of)
{
	if (auth_may_list_all(x->auth, &x->who))
		return NULL;
	of->has = may_list;
	of->arg = x;
	auth_may_list_patterns(x->auth, &x->who, &of->patterns);
	return of;
}

bool guard_everybody_may_pull(const struct exchange *x)
{
	static const struct identity nobody = { .kind = IDENTITY_NOBODY };

	return auth_may(x->auth, &nobody, RIGHT_PULL, &x->name);
}

bool guard_may_change(const struct exchange *x, bool removes)
{
	const struct config *cfg = x->reg->cfg;

	if (rules_readonly(cfg, &x->name) || (removes ? !rules_delete(cfg, &x->name) : x->upstream != NULL))
		return false;
	return auth_may(x->auth, &x->who, removes ? RIGHT_DELETE : RIGHT_PUSH, &x->name);
}

void guard_note(const struct exchange *x, const char *action)
{
	audit(x, action, NULL, NULL);
}

void guard_done(const struct exchange *x)
{
	if (!auth_on(x->auth) || x->rq.precheck)
		return;
	if (x->op->kind == OP_WRITE && x->rs.status == 201)
		audit(x, "push", NULL, NULL);
	else if (x->op->kind == OP_DELETE && x->rs.status == 202)
		audit(x, "delete", NULL, NULL);
}
