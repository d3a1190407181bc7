/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_show: the configuration, and the tables of settings, as text.
 *
 * Owns nothing. A part of `config`.
 */

#include <string.h>

#include "base/mem.h"
#include "conf/auth_conf.h"
#include "conf/config.h"
#include "conf/endpoints.h"
#include "conf/key.h"
#include "conf/moved.h"
#include "conf/rules_conf.h"
#include "conf/upstreams.h"

void config_show(const struct config *c, struct str *out)
{
	for (size_t i = 0; i < key_count; i++) {
		str_addf(out, "%s = ", key_table[i].name);
		key_get(c, &key_table[i], out);
		str_addc(out, '\n');
	}
	auth_lists_show(&c->auth, out);
	endpoints_show(c, out);
	upstreams_show(c, out);
	upstreams_show_own(c, out);
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
	upstreams_show(c, out);
	add_origin(c->upstreams_where, out);
	upstreams_show_own(c, out);
	add_origin(c->own_where, out);
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
	upstreams_given(c, out);
}

static void add_whole(const struct key *k, struct str *out)
{
	str_addf(out, "%s\n\ttype: ", k->name);
	key_wants(k, out);
	str_addf(out, "\n\tdefault: %s\n", k->preset);
	moved_variables(k->name, out);
	str_addf(out, "\teffect: %s\n", k->help);
}

/* The lists that are in no table. */
static const struct {
	const char *name, *type, *help;
} lists[] = {
	{ ENDPOINTS_KEY, "a list of endpoints",
	  "receivers of events: ( { name = \"deploy\"; url = \"https://ci.example/hook\"; actions = [ \"push\" ]; } )" },
	{ UPSTREAMS_KEY, "a list of upstreams",
	  "registries that this one caches: ( { name = \"docker.io\"; urls = [ \"https://registry-1.docker.io\" ]; } )" },
	{ UPSTREAMS_OWN_KEY, "a list of names of hosts", "names of this registry, where clients name a registry with ns=: [ \"registry.example\" ]" },
};

static void list_keys(bool whole, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (!whole) {
			str_addf(out, "%-20s %-18s %s\n", lists[i].name, "", lists[i].help);
			continue;
		}
		str_addf(out, "%s\n\ttype: must be %s\n\tdefault: \n", lists[i].name, lists[i].type);
		moved_variables(lists[i].name, out);
		str_addf(out, "\teffect: %s\n", lists[i].help);
	}
}

void config_keys(bool whole, struct str *out)
{
	for (size_t i = 0; i < key_count; i++)
		if (whole)
			add_whole(&key_table[i], out);
		else
			str_addf(out, "%-20s %-18s %s\n", key_table[i].name, key_table[i].preset, key_table[i].help);
	auth_lists_keys(whole, out);
	list_keys(whole, out);
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
