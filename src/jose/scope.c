/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope: parsing and writing scopes.
 *
 * Owns the grammar of scopes. Invariant: a set has each resource once, at most SCOPES_MAX of them, each with an action;
 * names and classes are visible ASCII without space, quote or backslash. Knows nothing of users and rules.
 */
#include "jose/scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const types[] = { [SCOPE_REPOSITORY] = "repository", [SCOPE_REGISTRY] = "registry" };

static const struct {
	enum scope_action bit;
	const char *name;
} actions[] = {
	{ SCOPE_PULL, "pull" },
	{ SCOPE_PUSH, "push" },
	{ SCOPE_DELETE, "delete" },
	{ SCOPE_ALL, "*" },
};

void scopes_release(struct scopes *s)
{
	free(s->v);
	*s = (struct scopes)SCOPES_INIT;
}

const char *scope_type_name(enum scope_type type)
{
	return types[type];
}

const char *scope_action_name(enum scope_action one)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (actions[i].bit == one)
			return actions[i].name;
	return "";
}

static bool equals(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

unsigned int scope_action(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (equals(s, len, actions[i].name))
			return actions[i].bit;
	return 0;
}

static bool visible(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\')
			return false;
	return true;
}

int scope_set_class(struct scope *one, const char *klass, size_t len)
{
	if (len > SCOPE_CLASS_MAX)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (!((klass[i] >= 'a' && klass[i] <= 'z') || (klass[i] >= '0' && klass[i] <= '9')))
			return -1;
	if (len)
		memcpy(one->klass, klass, len);
	one->klass[len] = '\0';
	return 0;
}

int scope_init(struct scope *one, const char *type, size_t tlen, const char *name, size_t nlen)
{
	const char *bracket = tlen ? memchr(type, '(', tlen) : NULL;
	size_t head = bracket ? (size_t)(bracket - type) : tlen, i;

	memset(one, 0, sizeof(*one));
	for (i = 0; i < ARRAY_LEN(types); i++)
		if (equals(type, head, types[i]))
			break;
	if (i == ARRAY_LEN(types) || !nlen || nlen > SCOPE_NAME_MAX || !visible(name, nlen))
		return -1;
	if (bracket) {
		/* "repository()" is malformed: the class must not be empty */
		if (tlen - head < 3 || type[tlen - 1] != ')' || scope_set_class(one, bracket + 1, tlen - head - 2) < 0)
			return -1;
	}
	one->type = (enum scope_type)i;
	memcpy(one->name, name, nlen);
	return 0;
}

int scopes_add(struct scopes *s, const struct scope *one)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->v[i].type == one->type && strcmp(s->v[i].name, one->name) == 0 &&
		    strcmp(s->v[i].klass, one->klass) == 0) {
			s->v[i].actions |= one->actions;
			return 0;
		}
	}
	if (s->count == SCOPES_MAX)
		return -1;
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4;
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->count++] = *one;
	return 0;
}

/* "TYPE:NAME:ACTION,ACTION": 0, or -1 if it is malformed or unknown. */
static int parse_one(struct scope *one, const char *s, size_t len)
{
	const char *end = s + len, *name = memchr(s, ':', len), *p;

	p = memrchr(s, ':', len);
	if (!name || p == name)
		return -1;
	if (scope_init(one, s, (size_t)(name - s), name + 1, (size_t)(p - name - 1)) < 0)
		return -1;
	while (p < end) {
		const char *from = p + 1, *comma = memchr(from, ',', (size_t)(end - from));

		p = comma ? comma : end;
		one->actions |= scope_action(from, (size_t)(p - from));
	}
	return one->actions ? 0 : -1;
}

int scopes_parse(struct scopes *s, const char *text, size_t len, struct err *e)
{
	const char *end;

	if (!len)
		return 0;               /* text may be NULL then */
	if (len > SCOPE_TEXT_MAX) {
		err_set(e, ERR_DENIED, "a scope of more than %d bytes", SCOPE_TEXT_MAX);
		return err_status(e, 400);
	}
	for (end = text + len; text < end;) {
		const char *space = memchr(text, ' ', (size_t)(end - text)), *to = space ? space : end;
		struct scope one;

		if (to > text) {
			if (parse_one(&one, text, (size_t)(to - text)) < 0) {
				s->ignored++;
			} else if (scopes_add(s, &one) < 0) {
				err_set(e, ERR_DENIED, "more than %d scopes", SCOPES_MAX);
				return err_status(e, 400);
			}
		}
		text = space ? space + 1 : end;
	}
	return 0;
}

bool scopes_allow(const struct scopes *s, enum scope_type type, const char *name, unsigned int wanted)
{
	unsigned int have = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->v[i].type == type && strcmp(s->v[i].name, name) == 0)
			have |= s->v[i].actions;
	return (have & SCOPE_ALL) || (have && (wanted & ~have) == 0);
}

void scope_add_text(struct str *out, const struct scope *one)
{
	const char *between = ":";

	str_puts(out, types[one->type]);
	if (one->klass[0])
		str_addf(out, "(%s)", one->klass);
	str_addf(out, ":%s", one->name);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (!(one->actions & actions[i].bit))
			continue;
		str_puts(out, between);
		str_puts(out, actions[i].name);
		between = ",";
	}
}

void scopes_add_text(struct str *out, const struct scopes *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			str_addc(out, ' ');
		scope_add_text(out, &s->v[i]);
	}
}

void scope_add_quoted(struct str *out, const char *text)
{
	str_addc(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			str_addc(out, '\\');
		str_addc(out, c < ' ' || c == 0x7f ? ' ' : *text);
	}
	str_addc(out, '"');
}
