/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules_read: "rules" in the configuration file.
 *
 * Owns the form of the list there. Invariant: each rule of a file without faults says something, has a valid pattern, and values
 * within their limits. A part of `rules`.
 */
#include "conf/rules_conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/platform.h"
#include "base/time.h"
#include "conf/key.h"
#include "conf/lists.h"

#define LIST RULES_KEY
#define KEEP LIST ".keep"

const char *const rules_members[RULE_MEMBERS] = {
	[RULE_KEEP] = "keep", [RULE_UNTAGGED] = "untagged", [RULE_IMMUTABLE] = "immutable", [RULE_QUOTA] = "quota",
	[RULE_MAX_TAGS] = "max_tags", [RULE_MAX_SIZE] = "max_size", [RULE_MAX_MANIFEST] = "max_manifest", [RULE_SPARSE] = "sparse",
	[RULE_DELETE] = "delete", [RULE_READONLY] = "readonly",
};

const char *const rules_conditions[KEEP_CONDITIONS] = {
	[KEEP_TAG] = "tag", [KEEP_NEWEST] = "newest", [KEEP_PUSHED] = "pushed", [KEEP_PULLED] = "pulled",
	[KEEP_PLATFORM] = "platform", [KEEP_SIGNED] = "signed",
};

/* The place of a name among others, or their number. */
static size_t index_of(const char *name, const char *const *names, size_t count)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], name) != 0)
		i++;
	return i;
}

static void wrong(const char *label, const char *name, const char *wants, const config_setting_t *s, struct faults *f)
{
	str_addf(fault(f, config_setting_source_line(s)), "\"%s.%s\" must be %s", label, name, wants);
}

static const char *text_of(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : NULL;
}

/* A whole number without quotes; as for other settings it is also a form of sizes and durations. */
static bool number_of(const config_setting_t *s, uint64_t *n)
{
	int type = config_setting_type(s);
	long long value = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64 ? config_setting_get_int64(s) : -1;

	*n = value < 0 ? 0 : (uint64_t)value;
	return value >= 0;
}

static bool size_of(const config_setting_t *s, uint64_t *n)
{
	return text_of(s) ? config_parse_size(text_of(s), n) == 0 : number_of(s, n);
}

static bool duration_of(const config_setting_t *s, uint64_t *n)
{
	return text_of(s) ? time_parse_duration(text_of(s), n) == 0 : number_of(s, n);
}

/* A duration that another setting could have, of `least` seconds or more. */
static void read_duration(uint64_t *out, const char *label, const config_setting_t *s, uint64_t least, const char *wants, struct faults *f)
{
	uint64_t n;

	if (duration_of(s, &n) && n >= least && n <= key_find("gc.grace")->max)
		*out = n;
	else
		wrong(label, config_setting_name(s), wants, s, f);
}

/* A value that the setting of this name could have, which says the same for all repositories. */
static void read_size(uint64_t *out, const config_setting_t *s, const char *like, struct faults *f)
{
	cleanup_str struct str wants = STR_INIT;
	const struct key *k = key_find(like);
	uint64_t n;

	if (size_of(s, &n) && n >= k->min && n <= k->max) {
		*out = n;
		return;
	}
	key_wants(k, &wants);
	str_addf(fault(f, config_setting_source_line(s)), "\"" LIST ".%s\" %s", config_setting_name(s), wants.buf);
}

static void read_bool(bool *out, const char *label, const config_setting_t *s, struct faults *f)
{
	if (config_setting_type(s) == CONFIG_TYPE_BOOL)
		*out = config_setting_get_bool(s);
	else
		wrong(label, config_setting_name(s), "true or false", s, f);
}

static void read_sparse(struct rule *r, const config_setting_t *s, struct faults *f)
{
	cleanup_str struct str wants = STR_INIT;
	const struct key *k = key_find("manifests.sparse");

	for (int i = 0; text_of(s) && k->words[i]; i++)
		if (strcmp(k->words[i], text_of(s)) == 0) {
			r->sparse = i;
			return;
		}
	key_wants(k, &wants);
	str_addf(fault(f, config_setting_source_line(s)), "\"" LIST ".sparse\" %s", wants.buf);
}

/* One pattern of tags; NULL, with a fault, if it is none. */
static const char *pattern_of(const config_setting_t *s, const char *label, struct faults *f)
{
	const char *text = lists_text(s, label, f), *why = text ? glob_fault(text) : NULL;

	if (why)
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" is not a pattern of tags: it %s", label, why);
	return why ? NULL : text;
}

static void read_immutable(struct rule *r, const config_setting_t *s, struct faults *f)
{
	static const char label[] = LIST ".immutable";
	const char *text = text_of(s);
	int count = config_setting_length(s);

	if (text && (!*text || (text = pattern_of(s, label, f)) != NULL)) {
		if (*text)
			names_add(&r->immutable, text, strlen(text));
		return;
	}
	if (text_of(s))
		return;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		wrong(LIST, "immutable", "a pattern of tags in quotes, or a list of such: [ \"v*\", \"stable\" ]", s, f);
		return;
	}
	if (count > RULE_PATTERNS_MAX) {
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" may hold %d patterns", label, RULE_PATTERNS_MAX);
		return;
	}
	for (int i = 0; i < count; i++)
		if ((text = pattern_of(config_setting_get_elem(s, (unsigned)i), label, f)) != NULL)
			names_add(&r->immutable, text, strlen(text));
}

static void read_condition(struct rule_keep *k, const config_setting_t *s, enum rule_condition what, struct faults *f)
{
	const char *text = text_of(s);

	switch (what) {
	case KEEP_TAG:
		if ((text = pattern_of(s, KEEP ".tag", f)) != NULL)
			k->tag = xstrdup(text);
		break;
	case KEEP_NEWEST:
		if (!number_of(s, &k->newest) || k->newest < 1 || k->newest > RULES_NEWEST_MAX)
			wrong(KEEP, "newest", "a whole number from 1 to 100000000; without the entry, its tags go", s, f);
		break;
	case KEEP_PUSHED:
		read_duration(&k->pushed, KEEP, s, 1, "a duration in quotes such as \"30d\", from \"1s\" to \"3660d\"", f);
		break;
	case KEEP_PULLED:
		read_duration(&k->pulled, KEEP, s, RULES_PULLED_MIN, "a duration in quotes such as \"14d\", from \"1h\" to \"3660d\"", f);
		break;
	case KEEP_PLATFORM:
		if (text && platform_ok(text))
			k->platform = xstrdup(text);
		else
			wrong(KEEP, "platform", "a platform in quotes such as \"linux/arm64\" or \"linux/arm/v7\"", s, f);
		break;
	case KEEP_SIGNED:
		read_bool(&k->is_signed, KEEP, s, f);
		break;
	case KEEP_CONDITIONS:
		break;
	}
	k->has |= 1u << what;
}

static void read_keep(void *arg, const config_setting_t *s, struct faults *f)
{
	struct rule *r = arg;
	struct rule_keep *k;
	unsigned line = config_setting_source_line(s);

	if (r->nkeep == RULE_KEEPS_MAX) {
		str_addf(fault(f, line), "\"" KEEP "\" may hold %d entries", RULE_KEEPS_MAX);
		return;
	}
	r->keep = xreallocarray(r->keep, r->nkeep + 1, sizeof(*r->keep));
	k = &r->keep[r->nkeep++];
	*k = (struct rule_keep){ .line = line };
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
		size_t what = index_of(config_setting_name(m), rules_conditions, KEEP_CONDITIONS);

		if (what < KEEP_CONDITIONS)
			read_condition(k, m, (enum rule_condition)what, f);
		else
			lists_unknown(m, KEEP, "tag, newest, pushed, pulled, platform and signed", f);
	}
	if (config_setting_length(s) == 0)
		str_puts(fault(f, line), "an entry of \"" KEEP "\" needs a condition; to keep every tag, write { tag = \"*\"; }");
}

static void read_member(struct rule *r, const config_setting_t *s, enum rule_member what, struct faults *f)
{
	switch (what) {
	case RULE_KEEP:
		lists_each(s, KEEP, read_keep, r, f);
		break;
	case RULE_UNTAGGED:
		read_duration(&r->untagged, LIST, s, 0, "a duration in quotes such as \"7d\", of at most \"3660d\"", f);
		break;
	case RULE_IMMUTABLE:
		read_immutable(r, s, f);
		break;
	case RULE_QUOTA:
		read_size(&r->quota, s, "blobs.max_size", f);
		break;
	case RULE_MAX_TAGS:
		if (!number_of(s, &r->max_tags) || r->max_tags > RULES_TAGS_MAX)
			wrong(LIST, "max_tags", "a whole number from 0 to 100000000; 0 is no limit", s, f);
		break;
	case RULE_MAX_SIZE:
		read_size(&r->max_size, s, "blobs.max_size", f);
		break;
	case RULE_MAX_MANIFEST:
		read_size(&r->max_manifest, s, "manifests.max_size", f);
		break;
	case RULE_SPARSE:
		read_sparse(r, s, f);
		break;
	case RULE_DELETE:
		read_bool(&r->delete_enabled, LIST, s, f);
		break;
	case RULE_READONLY:
		read_bool(&r->readonly, LIST, s, f);
		break;
	case RULE_MEMBERS:
		break;
	}
	r->says |= 1u << what;
}

static void read_repo(struct rule *r, const config_setting_t *s, struct faults *f)
{
	const char *text = lists_text(s, LIST ".repo", f), *why = text ? pattern_fault(text) : NULL;

	if (why)
		str_addf(fault(f, config_setting_source_line(s)), "\"" LIST ".repo\" is not a pattern of names: it %s", why);
	else if (text)
		r->repo = xstrdup(text);
}

static void read_rule(void *arg, const config_setting_t *s, struct faults *f)
{
	struct config *c = arg;
	cleanup_str struct str where = STR_INIT;
	unsigned line = config_setting_source_line(s);
	struct rule *r;
	bool unknown = false;

	if (c->nrules == RULES_MAX) {
		str_addf(fault(f, line), "\"" LIST "\" may hold %d rules", RULES_MAX);
		return;
	}
	str_addf(&where, "%s:%u", f->file, line);
	c->rules = xreallocarray(c->rules, c->nrules + 1, sizeof(*c->rules));
	r = &c->rules[c->nrules++];
	*r = (struct rule){ .where = xstrdup(where.buf), .immutable = NAMES_INIT };
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
		size_t what = index_of(config_setting_name(m), rules_members, RULE_MEMBERS);

		if (what < RULE_MEMBERS) {
			read_member(r, m, (enum rule_member)what, f);
		} else if (strcmp(config_setting_name(m), "repo") == 0) {
			read_repo(r, m, f);
		} else {
			unknown = true;
			lists_unknown(m, LIST, "repo, keep, untagged, immutable, quota, max_tags, max_size, max_manifest, sparse, delete and "
				      "readonly", f);
		}
	}
	if (!r->says && !unknown)
		str_puts(fault(f, line), "a rule without anything beside \"repo\" says nothing; remove it, or say for example: "
			 "{ repo = \"ci/**\"; keep = ( { newest = 10; } ); }");
	if (!r->repo)
		r->repo = xstrdup("**");
}

bool rules_read(struct config *c, const char *name, const config_setting_t *s, struct faults *f)
{
	cleanup_str struct str where = STR_INIT;

	if (strcmp(name, LIST) != 0)
		return false;
	str_addf(&where, "%s:%u", f->file, config_setting_source_line(s));
	c->rules_where = xstrdup(where.buf);
	lists_each(s, LIST, read_rule, c, f);
	return true;
}
