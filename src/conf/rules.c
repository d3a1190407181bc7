/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules: which rule says what about a repository.
 *
 * Owns the list that rules_read has read. Knows nothing of the store. Invariant: for each thing the first rule counts that matches the
 * repository and says it.
 */
#include "conf/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "conf/config.h"
#include "conf/rules_conf.h"

void rules_release(struct config *c)
{
	for (size_t i = 0; i < c->nrules; i++) {
		struct rule *r = &c->rules[i];

		for (size_t j = 0; j < r->nkeep; j++) {
			free(r->keep[j].tag);
			free(r->keep[j].platform);
		}
		free(r->keep);
		names_release(&r->immutable);
		free(r->repo);
		free(r->where);
	}
	free(c->rules);
	free(c->rules_where);
}

/* Of a mirror a rule says only who may write, and what is too large: its tags and its space have rules of their own (doc/CACHE.md). */
static bool is_excepted(const struct config *c, const struct name *n, enum rule_member what)
{
	return what != RULE_READONLY && what != RULE_MAX_SIZE && what != RULE_MAX_MANIFEST && upstream_of(c, n, NULL);
}

const struct rule *rules_find(const struct config *c, const struct name *n, enum rule_member what)
{
	if (is_excepted(c, n, what))
		return NULL;
	for (size_t i = 0; i < c->nrules; i++)
		if (RULE_SAYS(&c->rules[i], what) && pattern_match(c->rules[i].repo, n->s, n->len))
			return &c->rules[i];
	return NULL;
}

bool rules_any(const struct config *c, enum rule_member what)
{
	for (size_t i = 0; i < c->nrules; i++)
		if (RULE_SAYS(&c->rules[i], what))
			return true;
	return false;
}

bool rules_readonly(const struct config *c, const struct name *n)
{
	const struct rule *r = c->readonly ? NULL : rules_find(c, n, RULE_READONLY);

	return r ? r->readonly : c->readonly;
}

bool rules_delete(const struct config *c, const struct name *n)
{
	const struct rule *r = rules_find(c, n, RULE_DELETE);

	return r ? r->delete_enabled : c->delete_enabled;
}

bool rules_untagged(const struct config *c, const struct name *n)
{
	return rules_find(c, n, RULE_UNTAGGED) || c->gc_untagged;
}

int rules_sparse(const struct config *c, const struct name *n)
{
	const struct rule *r = rules_find(c, n, RULE_SPARSE);

	/* A mirror fetches the rest when it is asked for. */
	return upstream_of(c, n, NULL) ? SPARSE_ALL : r ? r->sparse : (int)c->sparse;
}

uint64_t rules_max_manifest(const struct config *c, const struct name *n)
{
	const struct rule *r = rules_find(c, n, RULE_MAX_MANIFEST);

	return r && r->max_manifest < c->max_manifest ? r->max_manifest : c->max_manifest;
}

uint64_t rules_max_size(const struct config *c, const struct name *n)
{
	const struct rule *r = rules_find(c, n, RULE_MAX_SIZE);

	return r ? r->max_size : c->max_blob;
}

uint64_t rules_max_tags(const struct config *c, const struct name *n)
{
	const struct rule *r = rules_find(c, n, RULE_MAX_TAGS);

	return r ? r->max_tags : 0;
}

bool rules_tag_matches(const char *pattern, const char *tag)
{
	return glob_match(pattern, tag);
}

bool rules_tag_of_digest(const char *tag)
{
	static const char *const heads[] = { "sha256-", "sha512-" };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		size_t head = strlen(heads[i]);

		if (strncmp(tag, heads[i], head) == 0 && strspn(tag + head, "0123456789abcdef") == 64)
			return !tag[head + 64] || tag[head + 64] == '.';
	}
	return false;
}

const struct rule *rules_immutable(const struct config *c, const struct name *n, const char *tag)
{
	const struct rule *r = rules_find(c, n, RULE_IMMUTABLE);

	if (!r || !r->immutable.count || rules_tag_of_digest(tag))
		return NULL;
	for (size_t i = 0; i < r->immutable.count; i++)
		if (glob_match(r->immutable.v[i], tag))
			return r;
	return NULL;
}

/* The length of the shortest leading part of a name, whole components, that the pattern [p, p+len) matches; 0: none. */
static size_t leading(const char *pattern, const struct name *n)
{
	for (size_t len = 1; len <= n->len; len++)
		if ((len == n->len || n->s[len] == '/') && pattern_match(pattern, n->s, len))
			return len;
	return 0;
}

void rules_group_pattern(const struct rule *r, char *head)
{
	size_t end = strlen(r->repo);

	while (end > 3 && strncmp(r->repo + end - 3, "/**", 3) == 0)
		end -= 3;
	memcpy(head, r->repo, end);
	head[end] = '\0';
}

const struct rule *rules_group(const struct config *c, const struct name *n, size_t *len)
{
	*len = 0;
	if (is_excepted(c, n, RULE_QUOTA))
		return NULL;
	for (size_t i = 0; i < c->nrules; i++) {
		const struct rule *r = &c->rules[i];
		char head[NAME_MAX_LEN + 1];

		if (!RULE_SAYS(r, RULE_QUOTA))
			continue;
		rules_group_pattern(r, head);
		if (pattern_is_all(head))
			return r->quota ? r : NULL;
		*len = leading(head, n);
		if (*len)
			return r->quota ? r : NULL;
	}
	return NULL;
}
