/* SPDX-License-Identifier: Apache-2.0 */
/* h_token: /v2/token, the token service (doc/API.md, "Token"). */
#include <string.h>
#include <strings.h>

#include "http/body.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "http/mirror.h"

#define FORM_TYPE "application/x-www-form-urlencoded"
#define FORM_MAX (64 * 1024)

static int bad_request(struct err *e, const char *why)
{
	err_set(e, ERR_UNSUPPORTED, "%s", why);
	return err_status(e, 400);
}

struct wanted {
	struct scopes *scopes;
	struct err *e;
};

static int add_scopes(void *arg, const struct str *value)
{
	struct wanted *w = arg;

	return scopes_parse(w->scopes, value->buf, value->len, w->e) < 0 ? -2 : 0;
}

/* The scopes in a query or a form: `scope` may be repeated, and each may have several. */
static int read_scopes(const struct request *from, struct scopes *out, struct err *e)
{
	int rc = request_query_each(from, "scope", add_scopes, &(struct wanted){ out, e });

	return rc == -1 ? bad_request(e, "scope is not form-encoded") : rc;
}

static bool has_value(const struct request *from, const char *key, const char *value)
{
	cleanup_str struct str text = STR_SECRET;      /* it may be a password, typed into the wrong field */

	return request_query(from, key, &text) == 1 && strcmp(text.buf, value) == 0;
}

static int answer(struct exchange *x, const struct scopes *want, bool refresh, struct err *e)
{
	response_json(&x->rs, 200);
	x->rs.body.secret = true;
	if (auth_issue(x->auth, &x->who, want, refresh, &x->rs.body, e) < 0)
		return guard_refuse(x, e);
	response_header(&x->rs, "Cache-Control", "no-store");
	return 0;
}

int h_token_get(struct exchange *x, struct err *e)
{
	cleanup_scopes struct scopes want = SCOPES_INIT;

	if (read_scopes(&x->rq, &want, e) < 0)
		return -1;
	mirror_scopes(x, &want);
	return answer(x, &want, has_value(&x->rq, "offline_token", "true") || has_value(&x->rq, "access_type", "offline"), e);
}

/* RFC 6749, 4.3 */
static int by_password(struct exchange *x, const struct request *form, struct err *e)
{
	/* The name may be a password, typed into the wrong field. */
	cleanup_str struct str user = STR_SECRET, password = STR_SECRET;

	if (request_query(form, "username", &user) != 1 || request_query(form, "password", &password) != 1)
		return bad_request(e, "grant_type=password needs username and password");
	return guard_password(x, user.buf, password.buf, password.len, e);
}

/* RFC 6749, 6 */
static int by_refresh(struct exchange *x, const struct request *form, struct err *e)
{
	cleanup_str struct str token = STR_SECRET;

	if (request_query(form, "refresh_token", &token) != 1)
		return bad_request(e, "grant_type=refresh_token needs refresh_token");
	return guard_refresh(x, token.buf, token.len, e);
}

static int grant(struct exchange *x, const struct request *form, struct err *e)
{
	cleanup_scopes struct scopes want = SCOPES_INIT;
	bool password = has_value(form, "grant_type", "password");

	if (!password && !has_value(form, "grant_type", "refresh_token"))
		return bad_request(e, "grant_type must be password or refresh_token");
	if (read_scopes(form, &want, e) < 0)
		return -1;
	mirror_scopes(x, &want);
	/* The login of the form replaces that of the headers. */
	identity_release(&x->who);
	x->who = (struct identity)IDENTITY_INIT;
	if ((password ? by_password(x, form, e) : by_refresh(x, form, e)) < 0)
		return -1;
	return answer(x, &want, password && (has_value(form, "access_type", "offline") || has_value(form, "offline_token", "true")), e);
}

static bool is_form(const struct exchange *x)
{
	const char *type = request_param(&x->rq, "CONTENT_TYPE");
	size_t len = type ? strcspn(type, "; ") : 0;

	return len == strlen(FORM_TYPE) && strncasecmp(type, FORM_TYPE, len) == 0;
}

int h_token_post(struct exchange *x, struct err *e)
{
	cleanup_str struct str text = STR_SECRET;
	struct request form = REQUEST_INIT;

	if (body_read(x, FORM_MAX, &text, e) < 0)
		return -1;
	if (!is_form(x))
		return bad_request(e, "the body must be " FORM_TYPE);
	form.query = text.buf;
	if (strlen(text.buf) != text.len)
		return bad_request(e, "a NUL in the form");
	return grant(x, &form, e);
}
