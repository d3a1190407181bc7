/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules_show: the list "rules" as text, in the form that a file has.
 *
 * Owns nothing. A part of `rules`.
 */
#include "conf/rules_conf.h"

#include "base/mem.h"
#include "conf/key.h"
#include "conf/lists.h"

static void show_text(struct str *out, const char *name, const char *text)
{
	str_addf(out, "%s = ", name);
	lists_show_text(out, text);
	str_puts(out, "; ");
}

static void show_number(struct str *out, const char *name, const char *quote, uint64_t n, const char *unit)
{
	str_addf(out, "%s = %s%llu%s%s; ", name, quote, (unsigned long long)n, unit, quote);
}

static void show_bool(struct str *out, const char *name, bool value)
{
	str_addf(out, "%s = %s; ", name, value ? "true" : "false");
}

static void show_entry(struct str *out, const struct rule_keep *k)
{
	str_puts(out, "{ ");
	if (KEEP_IS(k, KEEP_TAG))
		show_text(out, "tag", k->tag);
	if (KEEP_IS(k, KEEP_NEWEST))
		show_number(out, "newest", "", k->newest, "");
	if (KEEP_IS(k, KEEP_PUSHED))
		show_number(out, "pushed", "\"", k->pushed, "s");
	if (KEEP_IS(k, KEEP_PULLED))
		show_number(out, "pulled", "\"", k->pulled, "s");
	if (KEEP_IS(k, KEEP_PLATFORM))
		show_text(out, "platform", k->platform);
	if (KEEP_IS(k, KEEP_SIGNED))
		show_bool(out, "signed", k->is_signed);
	str_addc(out, '}');
}

static void show_keep(struct str *out, const struct rule *r)
{
	str_puts(out, "keep = ( ");
	for (size_t i = 0; i < r->nkeep; i++) {
		str_puts(out, i ? ", " : "");
		show_entry(out, &r->keep[i]);
	}
	str_puts(out, r->nkeep ? " ); " : "); ");
}

void rules_show_member(const struct rule *r, enum rule_member what, struct str *out)
{
	const char *name = what < RULE_MEMBERS ? rules_members[what] : "";

	switch (what) {
	case RULE_KEEP:
		show_keep(out, r);
		break;
	case RULE_UNTAGGED:
		show_number(out, name, "\"", r->untagged, "s");
		break;
	case RULE_IMMUTABLE:
		lists_show_texts(out, name, &r->immutable);
		break;
	case RULE_QUOTA:
		show_number(out, name, "\"", r->quota, "");
		break;
	case RULE_MAX_TAGS:
		show_number(out, name, "", r->max_tags, "");
		break;
	case RULE_MAX_SIZE:
		show_number(out, name, "\"", r->max_size, "");
		break;
	case RULE_MAX_MANIFEST:
		show_number(out, name, "\"", r->max_manifest, "");
		break;
	case RULE_SPARSE:
		show_text(out, name, key_find("manifests.sparse")->words[r->sparse]);
		break;
	case RULE_DELETE:
		show_bool(out, name, r->delete_enabled);
		break;
	case RULE_READONLY:
		show_bool(out, name, r->readonly);
		break;
	case RULE_MEMBERS:
		break;
	}
}

void rules_show(const struct config *c, struct str *out)
{
	str_puts(out, RULES_KEY " = ");
	if (c->rules_where && !c->nrules)
		str_puts(out, "( )");
	for (size_t i = 0; i < c->nrules; i++) {
		const struct rule *r = &c->rules[i];

		str_puts(out, i ? ", { " : "( { ");
		show_text(out, "repo", r->repo);
		for (unsigned what = 0; what < RULE_MEMBERS; what++)
			if (RULE_SAYS(r, what))
				rules_show_member(r, (enum rule_member)what, out);
		str_addc(out, '}');
	}
	str_puts(out, c->nrules ? " )\n" : "\n");
}

void rules_given(const struct config *c, struct str *out)
{
	if (c->rules_where)
		str_puts(out, RULES_KEY "\n");
}

void rules_keys(bool whole, struct str *out)
{
	static const char help[] =
		"what stays, what may not change, how much fits: ( { repo = \"ci/**\"; keep = ( { newest = 10; } ); }, "
		"{ repo = \"**\"; immutable = \"v*\"; } )";

	if (whole)
		str_addf(out, RULES_KEY "\n\ttype: must be a list of rules\n\tdefault: \n\teffect: %s\n", help);
	else
		str_addf(out, "%-20s %-18s %s\n", RULES_KEY, "", help);
}
