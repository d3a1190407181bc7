/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecr: reads a lifecycle policy and writes rules.
 *
 * Owns the form of policies. Invariant: where each image has one tag, the rules keep what the policy keeps; a comment says where images with
 * several tags may fare otherwise. Knows nothing of the store.
 */
#include "conf/ecr.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "conf/lists.h"
#include "conf/rules_conf.h"
#include "os/dir.h"

#define DAYS_MAX 3660           /* of a duration of ours */
#define COMMENT_MAX 200         /* bytes of a description */

enum status { TAGGED, UNTAGGED, ANY };
enum count { MORE_THAN, PUSHED, PULLED, TRANSITIONED };

static const char *const statuses[] = { [TAGGED] = "tagged", [UNTAGGED] = "untagged", [ANY] = "any", NULL };
static const char *const counts[] = {
	[MORE_THAN] = "imageCountMoreThan", [PUSHED] = "sinceImagePushed", [PULLED] = "sinceImagePulled",
	[TRANSITIONED] = "sinceImageTransitioned", NULL
};
static const char *const actions[] = { "expire", "transition", "archive", NULL };
static const char *const classes[] = { "standard", "archive", NULL };

struct ecr_rule {
	uint64_t priority;
	const char *description;        /* borrowed from the tree; NULL: none */
	size_t description_len;
	enum status status;
	struct names patterns;          /* of tags */
	enum count count;
	uint64_t number;                /* of images, or days */
	bool expires;                   /* and is not about archived images: else nothing here does the same */
};

struct import {
	struct json_object *tree, *inner;
	struct ecr_rule *rules;         /* in the order of their priority */
	size_t count;
	struct names selected;          /* patterns of tags that a rule decides about */
	struct names others;            /* patterns of all other tags, which stay */
	bool any;                       /* a rule decides about these, too */
	struct names lines;             /* entries of "keep" and, beginning with '#', comments */
	size_t entries;
	struct names remarks;           /* comments about what has no counterpart, outside of "keep" */
	uint64_t untagged;              /* days; 0: no rule of the policy says it */
	struct str *why;
};

static int __attribute__((format(printf, 2, 3))) fail(struct import *im, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(im->why, fmt, ap);
	va_end(ap);
	return -1;
}

static void __attribute__((format(printf, 2, 3))) add_line(struct names *out, const char *fmt, ...)
{
	cleanup_str struct str s = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	names_add(out, s.buf, s.len);
}

/* A member that is one of these words; `preset` if it is absent and that is not -1. Returns its place among them, or -1. */
static int word(struct import *im, size_t at, struct json_object *o, const char *name, const char *const *words, int preset)
{
	cleanup_str struct str list = STR_INIT;
	const char *text;
	size_t len;
	int found = json_get_string(o, name, &text, &len);

	if (found == 0 && preset >= 0)
		return preset;
	for (int i = 0; words[i]; i++) {
		if (found == 1 && strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
			return i;
		str_addf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
	}
	return fail(im, "rule %zu: \"%s\" must be one of %s", at + 1, name, list.buf);
}

static int read_patterns(struct import *im, size_t at, struct json_object *selection, const char *name, const char *tail, struct names *out)
{
	struct json_object *list;
	int found = json_get_array(selection, name, &list);
	size_t count = found == 1 ? json_object_array_length(list) : 0;

	if (found < 0 || count > RULE_PATTERNS_MAX)
		return fail(im, "rule %zu: \"%s\" must be a list of at most %d texts", at + 1, name, RULE_PATTERNS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		cleanup_str struct str pattern = STR_INIT;

		if (!json_object_is_type(one, json_type_string))
			return fail(im, "rule %zu: \"%s\" must hold texts", at + 1, name);
		str_add(&pattern, json_object_get_string(one), (size_t)json_object_get_string_len(one));
		str_puts(&pattern, tail);
		if (strlen(pattern.buf) != pattern.len || strpbrk(pattern.buf, "[?") || glob_fault(pattern.buf))
			return fail(im, "rule %zu: \"%s\" holds what no tag can match", at + 1, name);
		names_add(out, pattern.buf, pattern.len);
	}
	return 0;
}

static int read_selection(struct import *im, size_t at, struct json_object *s, struct ecr_rule *r)
{
	int status = word(im, at, s, "tagStatus", statuses, -1);
	int count = status < 0 ? -1 : word(im, at, s, "countType", counts, -1);
	unsigned max = count == MORE_THAN ? RULES_NEWEST_MAX : DAYS_MAX;
	int class = count < 0 ? -1 : word(im, at, s, "storageClass", classes, 0);

	if (class < 0 || read_patterns(im, at, s, "tagPatternList", "", &r->patterns) < 0 ||
	    read_patterns(im, at, s, "tagPrefixList", "*", &r->patterns) < 0)
		return -1;
	r->status = (enum status)status;
	r->count = (enum count)count;
	r->expires &= class == 0 && count != TRANSITIONED;
	if ((status == TAGGED) != (r->patterns.count > 0))
		return fail(im, "rule %zu: \"tagPatternList\" or \"tagPrefixList\" goes with \"tagStatus\": \"tagged\", and only with it", at + 1);
	if (json_get_u64(s, "countNumber", &r->number) != 1 || r->number < 1 || r->number > max)
		return fail(im, "rule %zu: \"countNumber\" must be a whole number from 1 to %u", at + 1, max);
	return count == MORE_THAN ? 0 : word(im, at, s, "countUnit", (const char *const[]){ "days", NULL }, -1);
}

static int read_rule(struct import *im, size_t at, struct json_object *o, struct ecr_rule *r)
{
	struct json_object *selection, *action;
	int type;

	if (!json_object_is_type(o, json_type_object) || json_get_u64(o, "rulePriority", &r->priority) != 1)
		return fail(im, "rule %zu has no \"rulePriority\", a whole number", at + 1);
	if (json_get_object(o, "selection", &selection) != 1 || json_get_object(o, "action", &action) != 1)
		return fail(im, "rule %zu has no \"selection\" or no \"action\"", at + 1);
	if (json_get_string(o, "description", &r->description, &r->description_len) < 0)
		return fail(im, "rule %zu: \"description\" must be a text", at + 1);
	type = word(im, at, action, "type", actions, -1);
	if (type < 0)
		return -1;
	r->expires = type == 0;
	return read_selection(im, at, selection, r);
}

static int compare_priority(const void *a, const void *b)
{
	const struct ecr_rule *x = a, *y = b;

	return x->priority < y->priority ? -1 : x->priority > y->priority;
}

static int read_rules(struct import *im, struct json_object *policy)
{
	struct json_object *list;

	if (json_get_array(policy, "rules", &list) != 1)
		return fail(im, "this is no lifecycle policy: it has no list \"rules\"");
	if (json_object_array_length(list) > ECR_RULES_MAX)
		return fail(im, "there are more than %d rules", ECR_RULES_MAX);
	im->rules = xcalloc(json_object_array_length(list) + 1, sizeof(*im->rules));
	for (; im->count < json_object_array_length(list); im->count++)
		if (read_rule(im, im->count, json_object_array_get_idx(list, im->count), &im->rules[im->count]) < 0) {
			im->count++;
			return -1;
		}
	qsort(im->rules, im->count, sizeof(*im->rules), compare_priority);
	for (size_t i = 1; i < im->count; i++)
		if (im->rules[i].priority == im->rules[i - 1].priority)
			return fail(im, "two rules have the \"rulePriority\" %" PRIu64, im->rules[i].priority);
	return 0;
}

static struct json_object *parse(struct import *im, const char *text, size_t len)
{
	struct json_fault f;
	struct json_object *o = json_read(text, len, &f);

	if (!o || json_object_is_type(o, json_type_object))
		return o ? o : (fail(im, "this is no JSON: %s, at byte %zu", f.what, f.at), NULL);
	fail(im, "this is no lifecycle policy: it is no object");
	json_cleanup(&o);
	return NULL;
}

/* Of what the command of ECR prints, the policy is a text within. */
static int read_policy(struct import *im, const char *text, size_t len, const char **repo)
{
	const char *inner, *name;
	size_t inner_len, name_len;

	im->tree = parse(im, text, len);
	if (!im->tree)
		return -1;
	if (json_get_string(im->tree, "lifecyclePolicyText", &inner, &inner_len) != 1)
		return read_rules(im, im->tree);
	if (!*repo && json_get_string(im->tree, "repositoryName", &name, &name_len) == 1 && strlen(name) == name_len &&
	    !pattern_fault(name) && !strchr(name, '*'))
		*repo = name;
	im->inner = parse(im, inner, inner_len);
	return im->inner ? read_rules(im, im->inner) : -1;
}

/* An entry of "keep"; tag: its pattern, or NULL. */
static void __attribute__((format(printf, 3, 4))) entry(struct import *im, const char *tag, const char *fmt, ...)
{
	cleanup_str struct str s = STR_INIT;
	va_list ap;

	str_puts(&s, "{ ");
	if (tag) {
		str_puts(&s, "tag = ");
		lists_show_text(&s, tag);
		str_puts(&s, "; ");
	}
	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	str_puts(&s, "}");
	names_add(&im->lines, s.buf, s.len);
	im->entries++;
}

/* "PRIORITY: DESCRIPTION", in one line. */
static void add_title(struct names *out, const struct ecr_rule *r)
{
	cleanup_str struct str s = STR_INIT;

	str_addf(&s, "# %" PRIu64, r->priority);
	if (r->description_len) {
		str_puts(&s, ": ");
		str_add_shown(&s, r->description, r->description_len, COMMENT_MAX);
	}
	names_add(out, s.buf, s.len);
}

/* Tags that a rule may select and nothing here can decide about: they stay. */
static void keep_all(struct import *im, const struct ecr_rule *r)
{
	for (size_t i = 0; i < r->patterns.count; i++) {
		bool kept = false;

		for (size_t j = 0; j < im->others.count; j++)
			kept |= glob_covers(im->others.v[j], r->patterns.v[i]);
		if (!kept)
			entry(im, r->patterns.v[i], "%s", "");
	}
}

static void keep_by(struct import *im, const struct ecr_rule *r, const char *tag)
{
	if (r->count == MORE_THAN) {
		add_line(&im->lines, "# That is %" PRIu64 " images there and %" PRIu64 " tags here: where an image has several of these tags, fewer "
			 "images stay.", r->number, r->number);
		add_line(&im->lines, "# A tag that is set again is new here; there the time of the image's push counts.");
	}
	if (r->count == MORE_THAN)
		entry(im, tag, "newest = %" PRIu64 "; ", r->number);
	if (r->count == PULLED)
		entry(im, tag, "pulled = \"%" PRIu64 "d\"; ", r->number);
	if (r->count == PULLED || r->count == PUSHED)
		entry(im, tag, "pushed = \"%" PRIu64 "d\"; ", r->number);
}

static void write_tagged(struct import *im, const struct ecr_rule *r)
{
	add_title(&im->lines, r);
	if (!r->expires)
		add_line(&im->lines, "# There is no archive here: what this rule archives, or deletes from there, stays.");
	else if (r->patterns.count > 1)
		add_line(&im->lines, "# It selects images that have a tag of each of its patterns. A rule here looks at one tag: these stay.");
	if (!r->expires || r->patterns.count > 1)
		keep_all(im, r);
	else
		keep_by(im, r, r->patterns.v[0]);
}

static void write_untagged(struct import *im, const struct ecr_rule *r)
{
	if (r->expires && r->count == PUSHED) {
		if (!im->untagged)
			im->untagged = r->number;
		return;
	}
	add_title(&im->remarks, r);
	add_line(&im->remarks, r->expires ? "# Untagged manifests go by their age alone here: \"untagged\" says it, or else gc.untagged." :
		 "# There is no archive here: what this rule archives, or deletes from there, stays.");
}

static void write_any(struct import *im, const struct ecr_rule *r)
{
	if (!r->expires) {
		add_title(&im->remarks, r);
		add_line(&im->remarks, "# There is no archive here: what this rule archives, or deletes from there, stays.");
		return;
	}
	add_title(&im->lines, r);
	keep_by(im, r, NULL);
	if (r->count == PUSHED && !im->untagged)
		im->untagged = r->number;
	else if (r->count != PUSHED)
		add_line(&im->remarks, "# Untagged manifests go by their age alone here: \"untagged\" says it, or else gc.untagged.");
}

/* How many entries of "keep" the rules need at most, but for all other tags. */
static size_t reserved(const struct import *im)
{
	size_t n = 0;

	for (size_t i = 0; i < im->count; i++)
		n += im->rules[i].count == PULLED ? 2 : im->rules[i].patterns.count + 1;
	return n < RULE_KEEPS_MAX ? n : RULE_KEEPS_MAX;
}

/* What no rule selects stays there, and would go here. */
static void find_others(struct import *im, bool *all)
{
	for (size_t i = 0; i < im->count; i++) {
		const struct ecr_rule *r = &im->rules[i];

		im->any |= r->status == ANY && r->expires;
		if (r->status == TAGGED && r->expires && r->patterns.count == 1)
			names_add(&im->selected, r->patterns.v[0], strlen(r->patterns.v[0]));
	}
	*all = !im->any && im->selected.count && ecr_others(&im->selected, RULE_KEEPS_MAX - reserved(im), &im->others) < 0;
}

static int write_keep(struct import *im)
{
	bool all;

	find_others(im, &all);
	for (size_t i = 0; i < im->count; i++)
		(im->rules[i].status == TAGGED ? write_tagged : im->rules[i].status == ANY ? write_any : write_untagged)(im, &im->rules[i]);
	if (!im->any && !im->selected.count)    /* no tag goes */
		im->entries = 0;
	if (im->others.count)
		add_line(&im->lines, "# What no rule selects stays there: all tags but those above.");
	for (size_t i = 0; i < im->others.count; i++)
		entry(im, im->others.v[i], "%s", "");
	if (all) {
		add_line(&im->lines, "# What no rule selects stays there. Here too many patterns would be needed for \"all other tags\", so "
			 "every tag stays.");
		add_line(&im->lines, "# Name those that are to stay in place of this line, and try it with: berth rules apply --dry-run");
		entry(im, "*", "%s", "");
	}
	return im->entries > RULE_KEEPS_MAX ? fail(im, "the rules need more than %d entries of \"keep\"", RULE_KEEPS_MAX) : 0;
}

static void show_keep(const struct import *im, struct str *out)
{
	size_t left = im->entries;

	str_puts(out, "\t\tkeep = (\n");
	for (size_t i = 0; i < im->lines.count; i++) {
		bool comma = im->lines.v[i][0] != '#' && --left > 0;

		str_addf(out, "\t\t\t%s%s\n", im->lines.v[i], comma ? "," : "");
	}
	str_puts(out, "\t\t);\n");
}

/* A rule of theirs decides about an image by any of its tags, and those behind it do not concern that image any more. */
static bool several_select(const struct import *im)
{
	size_t n = 0;

	for (size_t i = 0; i < im->count; i++)
		n += im->rules[i].status != UNTAGGED && im->rules[i].expires;
	return im->entries && im->selected.count && n > 1;
}

static void show(const struct import *im, const char *repo, struct str *out)
{
	str_puts(out, "# From a lifecycle policy of ECR. Before it counts, see what it does: berth rules apply --dry-run\n");
	if (im->count > 1)
		str_puts(out, "# There the first rule that selects an image decides about it; here a tag stays if one entry keeps it.\n");
	if (several_select(im))
		str_puts(out, "# Where an image has tags that different rules select, the first of these rules decides there about all of its tags; "
			 "here each\n# tag goes by its own: one that the image would have kept there may go.\n");
	for (size_t i = 0; i < im->remarks.count; i++)
		str_addf(out, "%s\n", im->remarks.v[i]);
	for (size_t i = 0; !im->entries && i < im->lines.count; i++)
		if (im->lines.v[i][0] == '#')
			str_addf(out, "%s\n", im->lines.v[i]);
	if (!im->entries && !im->untagged) {
		str_puts(out, "rules = ( );\n");
		return;
	}
	if (!repo)
		str_puts(out, "# A policy is of one repository, and this one does not say of which: name it in place of \"**\", or with --repo.\n");
	str_puts(out, "rules = (\n\t{\n\t\trepo = ");
	lists_show_text(out, repo ? repo : "**");
	str_puts(out, ";\n");
	if (im->entries)
		show_keep(im, out);
	if (im->untagged)
		str_addf(out, "\t\tuntagged = \"%" PRIu64 "d\";\n", im->untagged);
	str_puts(out, "\t}\n);\n");
}

int ecr_import(const char *text, size_t len, const char *repo, struct str *out, struct str *why)
{
	struct import im = { .why = why };
	int rc = read_policy(&im, text, len, &repo);

	if (rc == 0)
		rc = write_keep(&im);
	if (rc == 0)
		show(&im, repo, out);
	for (size_t i = 0; i < im.count; i++)
		names_release(&im.rules[i].patterns);
	free(im.rules);
	names_release(&im.selected);
	names_release(&im.others);
	names_release(&im.lines);
	names_release(&im.remarks);
	json_cleanup(&im.inner);
	json_cleanup(&im.tree);
	return rc;
}
