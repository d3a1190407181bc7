/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_SCOPE_H
#define BERTH_JOSE_SCOPE_H

/*
 * scope: a resource and actions on it, "repository:team/app:pull,push". Clients ask a token service for scopes, tokens
 * grant them, and challenges name them.
 *
 * The name is bounded visible ASCII, but need not be a valid repository name: some clients and proxies prefix the host and
 * port. Such a name is kept; no repository has it, so no rule grants it anything.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

#define SCOPE_NAME_MAX 511      /* a name of 255 bytes, and a host before it */
#define SCOPE_CLASS_MAX 31
#define SCOPES_MAX 64           /* resources in one set */
#define SCOPE_TEXT_MAX 32768    /* bytes in one `scope` parameter */

enum scope_type { SCOPE_REPOSITORY, SCOPE_REGISTRY };

enum scope_action {             /* bits */
	SCOPE_PULL = 1,
	SCOPE_PUSH = 2,
	SCOPE_DELETE = 4,
	SCOPE_ALL = 8,          /* "*": all of the above; also the action of registry:catalog:* */
};

struct scope {
	enum scope_type type;
	unsigned int actions;                   /* never 0 in a set */
	char klass[SCOPE_CLASS_MAX + 1];        /* "plugin" of "repository(plugin)"; "": none */
	char name[SCOPE_NAME_MAX + 1];
};

struct scopes {                 /* a set: each resource once, with all its actions */
	struct scope *v;        /* owned */
	size_t count, cap;
	size_t ignored;         /* number of scopes left out because they are not valid */
};

#define SCOPES_INIT { 0 }

void scopes_release(struct scopes *s);
#define cleanup_scopes __attribute__((cleanup(scopes_release)))

/* scopes_add - add a resource, or its actions if the set has the resource; 0, or -1 if the set is full (SCOPES_MAX) */
int scopes_add(struct scopes *s, const struct scope *one);

/*
 * scopes_parse - add the scopes of a `scope` parameter, which are separated by spaces (RFC 6749, 3.3)
 *
 * A scope that is malformed, of an unknown type, or without a known action is left out and counted, as the token services
 * of registries do: the client gets a token without it, and the registry then names the missing scope. Unknown actions
 * of a scope are left out. The list of actions follows the last colon. Returns 0, or -1 with *e (DENIED, 400) if the
 * text or the set would be too long: a truncated set would look like a refusal by the rules.
 */
int scopes_parse(struct scopes *s, const char *text, size_t len, struct err *e);

/*
 * scope_init - set a resource from its parts, as in a token's `access`; it has no actions yet
 * type  "repository" or "registry", with or without a class in parentheses
 * Returns 0, or -1 if the type is unknown or a part is malformed.
 */
int scope_init(struct scope *one, const char *type, size_t tlen, const char *name, size_t nlen);
int scope_set_class(struct scope *one, const char *klass, size_t len);
unsigned int scope_action(const char *s, size_t len);   /* one bit, or 0 if it is unknown */

/* scopes_allow - whether the set has all these actions on the resource ("*" includes each); the class is ignored */
bool scopes_allow(const struct scopes *s, enum scope_type type, const char *name, unsigned int actions);

const char *scope_type_name(enum scope_type type);
const char *scope_action_name(enum scope_action one);

/* scope_add_text - add to out "repository(plugin):NAME:pull,push,delete,*", in that order; scopes_ separates them by spaces */
void scope_add_text(struct str *out, const struct scope *one);
void scopes_add_text(struct str *out, const struct scopes *s);

/*
 * scope_add_quoted - add to out a quoted-string for WWW-Authenticate (RFC 9110, 5.6.4), with its quotes
 * A control character, which is invalid in a header, becomes a space.
 */
void scope_add_quoted(struct str *out, const char *text);

#endif
