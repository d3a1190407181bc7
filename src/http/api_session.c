/* SPDX-License-Identifier: Apache-2.0 */
/* api_session: /berth/v1/session and /berth/v1/whoami: a browser's login, and who the caller is (doc/PAGE.md, "The API"). */
#include <string.h>
#include <strings.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "conf/rules.h"
#include "http/body.h"
#include "http/cookie.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "http/location.h"
#include "store/journal.h"

#define LOGIN_MAX 4096          /* a name of 255 bytes and a long password, with escapes */
#define JSON_TYPE "application/json"

static int bad_request(struct err *e, const char *why)
{
	err_set(e, ERR_UNSUPPORTED, "%s", why);
	return err_status(e, 400);
}

static void add_text(struct str *out, const char *key, const char *text)
{
	str_addf(out, "\"%s\":\"", key);
	str_add_json(out, text, strlen(text));
	str_puts(out, "\",");
}

static void add_bool(struct str *out, const char *key, bool value)
{
	str_addf(out, "\"%s\":%s,", key, value ? "true" : "false");
}

/* The host and port by which docker reaches the registry. */
static bool registry_host(const struct exchange *x, struct str *out)
{
	const char *url = x->reg->cfg->host, *host = strstr(url, "://");

	if (!host)
		return location_host(x, out);
	str_reset(out);
	str_add(out, host + 3, strcspn(host + 3, "/"));
	return true;
}

static void add_whoami(struct exchange *x)
{
	const struct config *cfg = x->reg->cfg;
	cleanup_str struct str host = STR_INIT;
	struct str *out = &x->rs.body;
	bool deletes = !cfg->readonly && (cfg->delete_enabled || rules_any(cfg, RULE_DELETE));

	response_json(&x->rs, 200);
	str_puts(out, "{");
	if (x->who.kind == IDENTITY_USER)
		add_text(out, "user", x->who.user);
	add_text(out, "login", guard_login(x));
	add_bool(out, "anonymous", x->who.kind == IDENTITY_NOBODY);
	add_bool(out, "form", auth_has_sessions(x->auth, x->reg->st));
	add_bool(out, "admin", auth_is_admin(x->auth, &x->who));
	add_bool(out, "delete", deletes && auth_may_somewhere(x->auth, &x->who, RIGHT_DELETE));
	add_bool(out, "journal", journal_kept(x->reg->st));
	add_bool(out, "undo", cfg->undo > 0);
	add_bool(out, "mirrors", cfg->nupstreams > 0);
	if (registry_host(x, &host))
		add_text(out, "registry", host.buf);
	str_puts(out, "\"version\":\"" PACKAGE_VERSION "\"}\n");
}

int api_whoami_get(struct exchange *x, struct err *e)
{
	(void)e;
	add_whoami(x);
	return 0;
}

/* A page of another site can send text, but not this type, without asking first. */
static bool is_json(const struct exchange *x)
{
	const char *type = request_param(&x->rq, "CONTENT_TYPE");
	size_t len = type ? strcspn(type, "; ") : 0;

	return len == strlen(JSON_TYPE) && strncasecmp(type, JSON_TYPE, len) == 0;
}

/* A member that is a string without a NUL. */
static bool read_member(struct json_view login, const char *key, struct str *out)
{
	struct json_view v = json_view_get(login, key);

	if (v.kind != JSON_STRING)
		return false;
	json_view_text(v, out);
	return strlen(out->buf) == out->len;
}

static int log_in(struct exchange *x, struct err *e)
{
	/* The name may be a password, typed into the wrong field. */
	cleanup_str struct str text = STR_SECRET, user = STR_SECRET, password = STR_SECRET;
	struct json_fault fault;
	struct json_view login;

	if (body_read(x, LOGIN_MAX, &text, e) < 0)
		return -1;
	if (!is_json(x) || json_check_few(text.buf, text.len, &fault) < 0)
		return bad_request(e, "the body must be JSON, of the type " JSON_TYPE);
	login = json_view_of(text.buf, text.len);
	if (!read_member(login, "user", &user) || !read_member(login, "password", &password))
		return bad_request(e, "the body must be {\"user\":\"...\",\"password\":\"...\"}");
	return guard_password(x, user.buf, password.buf, password.len, e);
}

/* Whatever cookie came along: the new session has a name of its own, and the old one is ended. */
int api_session_post(struct exchange *x, struct err *e)
{
	cleanup_str struct str cookie = STR_SECRET, old = STR_SECRET;

	if (!auth_has_sessions(x->auth, x->reg->st))
		return err_set(e, ERR_NAME_UNKNOWN, "nobody can log in here with a form");
	identity_release(&x->who);
	x->who = (struct identity)IDENTITY_INIT;
	if (log_in(x, e) < 0)
		return -1;
	if (cookie_find(x, &old) && auth_session_end(x->auth, x->reg->st, old.buf, e) < 0)
		return -1;
	if (auth_session_begin(x->auth, x->reg->st, &x->who, &cookie, e) < 0)
		return -1;
	cookie_set(x, cookie.buf);
	guard_note(x, "session_begin");
	add_whoami(x);
	return 0;
}

int api_session_delete(struct exchange *x, struct err *e)
{
	cleanup_str struct str cookie = STR_SECRET;

	if (cookie_find(x, &cookie) && auth_session_end(x->auth, x->reg->st, cookie.buf, e) < 0)
		return -1;
	if (x->who.session)
		guard_note(x, "session_end");
	cookie_set(x, "");
	x->rs.status = 204;
	return 0;
}
