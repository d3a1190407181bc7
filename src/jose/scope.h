/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_SCOPE_H
#define BERTH_JOSE_SCOPE_H

/*
 * scope: what a client asks a token service for, what a token grants, and what a challenge names: a resource and
 * actions on it, "repository:team/app:pull,push".
 *
 * A name here is bounded, visible ASCII, but need not be a repository's name: some clients and proxies put the host and
 * its port in front of it. Such a name is kept, and since no repository is called so no rule gives it anything.
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
	SCOPE_ALL = 8,          /* "*": all of them, and what registry:catalog:* asks for */
};

struct scope {
	enum scope_type type;
	unsigned int actions;                   /* never 0 in a set */
	char klass[SCOPE_CLASS_MAX + 1];        /* "plugin" of "repository(plugin)"; "" for the usual ones */
	char name[SCOPE_NAME_MAX + 1];
};

struct scopes {                 /* each resource once; its actions are gathered */
	struct scope *v;        /* owned */
	size_t count, cap;
	size_t ignored;         /* scopes that were left out because they are none */
};

#define SCOPES_INIT { 0 }

void scopes_release(struct scopes *s);
#define cleanup_scopes __attribute__((cleanup(scopes_release)))

/* scopes_add - add a resource, or actions to one that is there; 0, or -1 where there are SCOPES_MAX already */
int scopes_add(struct scopes *s, const struct scope *one);

/*
 * scopes_parse - add what a `scope` parameter asks for: scopes separated by spaces (RFC 6749, 3.3)
 *
 * A scope that is malformed, of a type that is not known, or without an action that is known is left out and counted, as
 * the token services of registries do: the client gets a token that lacks it, and the registry then says what is
 * missing. Actions that are not known are left out of a scope that has others. Everything after the last colon is
 * the list of actions. Returns -1 with *e (DENIED, 400) where there is more than a set holds: cut short it would look
 * like a refusal by the rules.
 */
int scopes_parse(struct scopes *s, const char *text, size_t len, struct err *e);

/*
 * scope_init - a resource from its parts, as a token's `access` gives them; its actions are empty
 * type  "repository", "registry", or with a class in brackets
 * Returns 0, or -1 where the type is not known or a part is malformed.
 */
int scope_init(struct scope *one, const char *type, size_t tlen, const char *name, size_t nlen);
int scope_set_class(struct scope *one, const char *klass, size_t len);
unsigned int scope_action(const char *s, size_t len);   /* one bit, or 0 where it is not known */

/* scopes_allow - whether the set holds all these actions on the resource ("*" holds each); the class is not looked at */
bool scopes_allow(const struct scopes *s, enum scope_type type, const char *name, unsigned int actions);

const char *scope_type_name(enum scope_type type);
const char *scope_action_name(enum scope_action one);

/* scope_add_text - "repository(plugin):NAME:pull,push,delete,*", in that order; of a set: with spaces between */
void scope_add_text(struct str *out, const struct scope *one);
void scopes_add_text(struct str *out, const struct scopes *s);

/*
 * scope_add_quoted - a quoted-string for a WWW-Authenticate header (RFC 9110, 5.6.4), with its quotes
 * A control character, which no header may hold, becomes a space.
 */
void scope_add_quoted(struct str *out, const char *text);

#endif
