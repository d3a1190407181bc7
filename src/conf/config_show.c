/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_show: the configuration, and the tables of settings, as text.
 *
 * Owns nothing. A part of `config`.
 */

#include <string.h>

#include "conf/auth_conf.h"
#include "conf/config.h"
#include "conf/endpoints.h"
#include "conf/key.h"
#include "conf/moved.h"
#include "conf/rules_conf.h"

void config_show(const struct config *c, struct str *out)
{
	for (size_t i = 0; i < key_count; i++) {
		str_addf(out, "%s = ", key_table[i].name);
		key_get(c, &key_table[i], out);
		str_addc(out, '\n');
	}
	auth_lists_show(&c->auth, out);
	endpoints_show(c, out);
	rules_show(c, out);
}

/* The lists of "auth" come from the file alone: the line is that of the group. */
static void add_lists(const struct config *c, struct str *out)
{
	cleanup_str struct str shown = STR_INIT;
	bool given[] = { c->auth.ngroups > 0, c->auth.ruled };
	const char *line, *end;
	size_t i = 0;

	auth_lists_show(&c->auth, &shown);
	for (line = shown.buf; (end = strchr(line, '\n')) != NULL; line = end + 1, i++) {
		str_add(out, line, (size_t)(end - line));
		if (given[i])
			str_addf(out, "\t%s:%u\n", c->file, c->auth.line);
		else
			str_puts(out, "\tdefault\n");
	}
}

/* In place of the end of the last line. */
static void add_origin(const char *where, struct str *out)
{
	str_cut(out, out->len - 1);
	str_addf(out, "\t%s\n", where ? where : "default");
}

void config_origins(const struct config *c, struct str *out)
{
	for (size_t i = 0; i < key_count; i++) {
		const char *origin = key_origin(c, &key_table[i]);

		str_addf(out, "%s = ", key_table[i].name);
		key_get(c, &key_table[i], out);
		str_addf(out, "\t%s\n", origin ? origin : "default");
	}
	add_lists(c, out);
	endpoints_show(c, out);
	add_origin(c->endpoints_where, out);
	rules_show(c, out);
	add_origin(c->rules_where, out);
}

void config_given(const struct config *c, struct str *out)
{
	for (size_t i = 0; i < key_count; i++)
		if (key_origin(c, &key_table[i]))
			str_addf(out, "%s\n", key_table[i].name);
	auth_lists_given(&c->auth, out);
	endpoints_given(c, out);
	rules_given(c, out);
}

static void add_whole(const struct key *k, struct str *out)
{
	str_addf(out, "%s\n\ttype: ", k->name);
	key_wants(k, out);
	str_addf(out, "\n\tdefault: %s\n", k->preset);
	moved_variables(k->name, out);
	str_addf(out, "\teffect: %s\n", k->help);
}

static void endpoints_keys(bool whole, struct str *out)
{
	static const char help[] = "receivers of events: ( { name = \"deploy\"; url = \"https://ci.example/hook\"; actions = [ \"push\" ]; } )";

	if (!whole) {
		str_addf(out, "%-20s %-18s %s\n", ENDPOINTS_KEY, "", help);
		return;
	}
	str_puts(out, ENDPOINTS_KEY "\n\ttype: must be a list of endpoints\n\tdefault: \n");
	moved_variables(ENDPOINTS_KEY, out);
	str_addf(out, "\teffect: %s\n", help);
}

void config_keys(bool whole, struct str *out)
{
	for (size_t i = 0; i < key_count; i++)
		if (whole)
			add_whole(&key_table[i], out);
		else
			str_addf(out, "%-20s %-18s %s\n", key_table[i].name, key_table[i].preset, key_table[i].help);
	auth_lists_keys(whole, out);
	endpoints_keys(whole, out);
	rules_keys(whole, out);
}

void config_moved(struct str *out)
{
	static const char *const kinds[] = {
		[MOVED_SETS] = "", [MOVED_QUIET] = "no effect, and nothing is lost", [MOVED_LOSES] = "a warning",
		[MOVED_REFUSED] = "refused",
	};

	for (size_t i = 0; i < moved_count; i++) {
		const struct moved *m = &moved_table[i];

		str_addf(out, "%s\t%s%s%s%s\n", m->path, kinds[m->kind], m->kind == MOVED_SETS ? m->key : "", m->note ? ": " : "",
			 m->note ? m->note : "");
	}
}
