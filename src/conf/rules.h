/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_RULES_H
#define BERTH_CONF_RULES_H

/*
 * rules: the list "rules" of a configuration, and which rule says what about a repository (doc/RULES.md).
 *
 * For each thing that a rule can say, the first rule counts that matches the repository and says it. Of the mirror of an upstream rules
 * say only `readonly`, `max_size` and `max_manifest`: the rest is decided by doc/CACHE.md, "What is kept". This module knows nothing of
 * what is in the store.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ref.h"
#include "base/str.h"
#include "os/dir.h"

struct config;

#define RULES_MAX 256                   /* in a configuration */
#define RULE_KEEPS_MAX 64               /* entries of one "keep": each has a bit of a uint64_t */
#define RULE_PATTERNS_MAX 64            /* of one "immutable" */

/* What a rule can say; bits of config_keep_rule.says are 1 << these. */
enum rule_member {
	RULE_KEEP, RULE_UNTAGGED, RULE_IMMUTABLE, RULE_QUOTA, RULE_MAX_TAGS, RULE_MAX_SIZE, RULE_MAX_MANIFEST, RULE_SPARSE,
	RULE_DELETE, RULE_READONLY, RULE_MEMBERS
};

/* A condition of an entry of "keep"; bits of rule_keep.has are 1 << these. */
enum rule_condition { KEEP_TAG, KEEP_NEWEST, KEEP_PUSHED, KEEP_PULLED, KEEP_PLATFORM, KEEP_SIGNED, KEEP_CONDITIONS };

#define KEEP_IS(keep, condition) (((keep)->has >> (condition)) & 1)
#define RULE_SAYS(rule, member) (((rule)->says >> (member)) & 1)

struct rule_keep {                      /* one entry of "keep": all conditions that it has must hold */
	unsigned has;
	char *tag;                      /* a pattern, rules_tag_matches() */
	uint64_t newest;                /* 1 or more */
	uint64_t pushed, pulled;        /* seconds; pulled is 3600 at least: a pull is known to the hour */
	char *platform;                 /* "OS/ARCH" or "OS/ARCH/VARIANT" */
	bool is_signed;
	unsigned line;                  /* of the file */
};

struct rule {                           /* one of "rules" */
	char *repo;                     /* see base/pattern.h; "**" if the rule does not say it */
	unsigned says;
	struct rule_keep *keep;
	size_t nkeep;                   /* 0 with RULE_KEEP: every tag goes */
	uint64_t untagged;              /* seconds */
	struct names immutable;         /* patterns of tags; none with RULE_IMMUTABLE: no tag is */
	uint64_t quota;                 /* bytes; 0: no limit */
	uint64_t max_tags;              /* 0: no limit */
	uint64_t max_size;              /* of a blob, bytes; 0: no limit */
	uint64_t max_manifest;          /* bytes; at most manifests.max_size */
	int sparse;                     /* enum config_sparse */
	bool delete_enabled, readonly;
	char *where;                    /* "FILE:LINE" */
};

/* The names of the members in the file. */
extern const char *const rules_members[RULE_MEMBERS];

/* rules_show_member - add "NAME = VALUE; " for one thing that the rule says, in the form that a file has */
void rules_show_member(const struct rule *r, enum rule_member what, struct str *out);

/* rules_find - the first rule that matches the repository and says this; borrowed from the configuration; NULL: none */
const struct rule *rules_find(const struct config *c, const struct name *n, enum rule_member what);

/* rules_any - whether any rule says this: without one, nothing has to be looked at */
bool rules_any(const struct config *c, enum rule_member what);

/*
 * What is in force for a repository: what a rule says, or else the whole configuration.
 * rules_readonly is true where the whole registry is; rules_max_manifest is never above manifests.max_size.
 */
bool rules_readonly(const struct config *c, const struct name *n);
bool rules_delete(const struct config *c, const struct name *n);
bool rules_untagged(const struct config *c, const struct name *n);      /* whether collections remove manifests without a tag, at whatever age */
int rules_sparse(const struct config *c, const struct name *n);         /* enum config_sparse */
uint64_t rules_max_manifest(const struct config *c, const struct name *n);
uint64_t rules_max_size(const struct config *c, const struct name *n);
uint64_t rules_max_tags(const struct config *c, const struct name *n);

/* rules_tag_matches - whether a tag matches a pattern of tags: see base/glob.h */
bool rules_tag_matches(const char *pattern, const char *tag);

/*
 * rules_tag_of_digest - whether a tag has the form that clients give to tags that speak of a digest
 * It is "sha256-" or "sha512-" with the first 64 hex digits (distribution-spec, "Referrers Tag Schema"); ".suffix" may follow.
 */
bool rules_tag_of_digest(const char *tag);

/*
 * rules_immutable - the rule that makes this tag immutable; NULL: none does
 * A tag of a digest never is.
 */
const struct rule *rules_immutable(const struct config *c, const struct name *n, const char *tag);

/*
 * rules_check - add to warn a line, "FILE:LINE: ...", for each rule, or part of one, that can never apply, and for rules that contradict
 *               each other, as far as the patterns show it
 */
void rules_check(const struct config *c, struct str *warn);

/*
 * rules_group - the rule whose quota counts for a repository, and the length of the leading part of its name that is the group
 * The group is the shortest leading part, whole components, that the pattern without a last component "**" matches, with all that lies
 * below it; for "**" itself it is 0: all repositories. The first rule with a quota counts that matches any leading part. So a group
 * has the same rule for each repository in it, and two rules never share one.
 * Returns NULL if there is none, or its quota is 0 (no limit).
 */
const struct rule *rules_group(const struct config *c, const struct name *n, size_t *len);

#endif
