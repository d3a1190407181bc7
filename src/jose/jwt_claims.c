/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_claims: the claims of a token with a verified signature.
 *
 * Owns the checks of the claims (RFC 7519, 4.1) and their limits. Invariant: claims that were read are bounded, for this
 * service, from the trusted issuer, and valid now. A part of `jwt`.
 */
#include "jose/jwt_claims.h"

#include <string.h>

#include "base/b64.h"
#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"

int jwt_refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_UNAUTHORIZED, "%s", why);
}

struct json_object *jwt_object(const char *s, size_t len, const char *part, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	struct json_object *o;
	struct json_fault f;

	if (b64_decode(B64_URL, s, len, &text) < 0) {
		err_set(e, ERR_UNAUTHORIZED, "the token's %s is not base64url", part);
		return NULL;
	}
	o = json_read(text.buf, text.len, &f);
	if (!o) {
		err_set(e, ERR_UNAUTHORIZED, "the token's %s is not JSON: %s", part, f.what);
	} else if (!json_object_is_type(o, json_type_object)) {
		json_cleanup(&o);
		err_set(e, ERR_UNAUTHORIZED, "the token's %s is not an object", part);
	}
	return o;
}

bool jwt_text_ok(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return len <= JWT_TEXT_MAX;
}

int jwt_text(struct json_object *o, const char *name, char **out, struct err *e)
{
	const char *s;
	size_t len;

	*out = NULL;
	switch (json_get_string(o, name, &s, &len)) {
	case 0:
		return 0;
	case 1:
		break;
	default:
		return err_set(e, ERR_UNAUTHORIZED, "\"%s\" is not a string", name);
	}
	if (!jwt_text_ok(s, len))
		return err_set(e, ERR_UNAUTHORIZED, "\"%s\" is too long or has control characters", name);
	*out = xstrndup(s, len);
	return 0;
}

static bool is(struct json_object *v, const char *word)
{
	return json_object_is_type(v, json_type_string) && (size_t)json_object_get_string_len(v) == strlen(word) &&
	       memcmp(json_object_get_string(v), word, strlen(word)) == 0;
}

static int check_issuer(struct json_object *payload, const char *want, struct jwt *t, struct err *e)
{
	if (jwt_text(payload, "iss", &t->iss, e) < 0)
		return -1;
	if (!want || !*want || !t->iss || strcmp(t->iss, want) != 0)
		return jwt_refuse(e, t->iss ? "\"iss\" is not the trusted issuer" : "no \"iss\"");
	return 0;
}

/* RFC 7519, 4.1.3: one string, or a list of strings. */
static int check_audience(struct json_object *payload, const char *want, struct jwt *t, struct err *e)
{
	struct json_object *aud = NULL;
	size_t n, i;

	if (!json_object_object_get_ex(payload, "aud", &aud) || !aud)
		return jwt_refuse(e, "no \"aud\"");
	if (!want || !*want)
		return jwt_refuse(e, "no service to compare \"aud\" with");
	if (json_object_is_type(aud, json_type_string)) {
		if (!is(aud, want))
			return jwt_refuse(e, "\"aud\" is another service");
	} else {
		n = json_object_is_type(aud, json_type_array) ? json_object_array_length(aud) : JWT_MAX_AUDIENCES + 1;
		if (n > JWT_MAX_AUDIENCES)
			return jwt_refuse(e, "\"aud\" is neither a string nor a short list");
		for (i = 0; i < n && !is(json_object_array_get_idx(aud, i), want); i++)
			;
		if (i == n)
			return jwt_refuse(e, "\"aud\" does not name this service");
	}
	t->aud = xstrdup(want);
	return 0;
}

/* A NumericDate: 1 found, 0 absent (*out is -1), -1 with *e. */
static int read_time(struct json_object *payload, const char *name, int64_t *out, struct err *e)
{
	uint64_t v;
	int has = json_get_u64(payload, name, &v);

	*out = -1;
	if (has < 0 || (has && v > (uint64_t)JWT_MAX_TIME))
		return err_set(e, ERR_UNAUTHORIZED, "\"%s\" is not a time in whole seconds", name);
	if (has)
		*out = (int64_t)v;
	return has;
}

static int check_times(struct json_object *payload, int64_t now, struct jwt *t, struct err *e)
{
	int has = read_time(payload, "exp", &t->exp, e);

	if (has < 0 || read_time(payload, "nbf", &t->nbf, e) < 0 || read_time(payload, "iat", &t->iat, e) < 0)
		return -1;
	if (!has)
		return jwt_refuse(e, "no \"exp\"");
	if (now >= t->exp + JWT_LEEWAY)
		return err_set(e, ERR_UNAUTHORIZED, "expired %lld s ago", (long long)(now - t->exp));
	if (t->nbf > now + JWT_LEEWAY)
		return err_set(e, ERR_UNAUTHORIZED, "not valid for another %lld s", (long long)(t->nbf - now));
	if (t->iat > now + JWT_LEEWAY)
		return err_set(e, ERR_UNAUTHORIZED, "issued %lld s from now", (long long)(t->iat - now));
	return 0;
}

/* The actions of an entry: 0, or -1 if they are not a list of strings. */
static int read_actions(struct json_object *entry, struct scope *one)
{
	struct json_object *list;

	if (json_get_array(entry, "actions", &list) < 0)
		return -1;
	if (!list)
		return 0;
	if (json_object_array_length(list) > JWT_MAX_ACTIONS)
		return -1;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *a = json_object_array_get_idx(list, i);

		if (!json_object_is_type(a, json_type_string))
			return -1;
		one->actions |= scope_action(json_object_get_string(a), (size_t)json_object_get_string_len(a));
	}
	return 0;
}

/* One entry: 0 if it was added or is unknown, -1 if it is malformed or the set is full. */
static int read_entry(struct json_object *entry, struct scopes *access)
{
	const char *type, *name, *klass;
	size_t tlen, nlen, klen;
	struct scope one, acts = { 0 };

	if (!json_object_is_type(entry, json_type_object) || json_get_string(entry, "type", &type, &tlen) != 1 ||
	    json_get_string(entry, "name", &name, &nlen) != 1 || nlen > SCOPE_NAME_MAX ||
	    json_get_string(entry, "class", &klass, &klen) < 0 || read_actions(entry, &acts) < 0)
		return -1;
	if (scope_init(&one, type, tlen, name, nlen) < 0 || (klass && scope_set_class(&one, klass, klen) < 0)) {
		access->ignored++;
		return 0;
	}
	one.actions = acts.actions;
	return one.actions ? scopes_add(access, &one) : 0;
}

static int read_access(struct json_object *payload, struct jwt *t, struct err *e)
{
	struct json_object *list;
	size_t n, i;

	if (json_get_array(payload, "access", &list) < 0)
		return jwt_refuse(e, "\"access\" is not a list");
	n = list ? json_object_array_length(list) : 0;
	if (n > SCOPES_MAX)
		return err_set(e, ERR_UNAUTHORIZED, "\"access\" has more than %d entries", SCOPES_MAX);
	for (i = 0; i < n; i++)
		if (read_entry(json_object_array_get_idx(list, i), &t->access) < 0)
			return err_set(e, ERR_UNAUTHORIZED, "entry %zu of \"access\" is malformed or too big", i + 1);
	return 0;
}

int jwt_read_claims(struct json_object *payload, const struct jwt_trust *trust, int64_t now, struct jwt *out, struct err *e)
{
	if (check_issuer(payload, trust->iss, out, e) < 0 || check_audience(payload, trust->aud, out, e) < 0 ||
	    check_times(payload, now, out, e) < 0 || jwt_text(payload, "sub", &out->sub, e) < 0 ||
	    jwt_text(payload, "jti", &out->jti, e) < 0)
		return -1;
	return read_access(payload, out, e);
}
