/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the file and the environment, read into one struct.
 *
 * Owns libconfig (with auth_lists) and the walk over the parsed tree. key checks the values of settings, env those of
 * variables. Invariant: a struct config that config_load() returns has passed both.
 *
 * libconfig ignores settings that nobody asks for. So the walk looks up each setting of the tree in the table, not the
 * reverse, and reports every fault, not only the first.
 */

#include "conf/config.h"

#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "conf/auth_conf.h"
#include "conf/env.h"
#include "conf/key.h"
#include "conf/text.h"

#define WORKERS_MAX 1024u

struct walk {
	struct config *c;
	struct faults f;
	struct str *warn;               /* NULL: drop warnings */
};

static int set_value(struct config *c, const struct key *k, const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return key_set_number(c, k, config_setting_get_int64(s));
	case CONFIG_TYPE_BOOL:
		return key_set_bool(c, k, config_setting_get_bool(s));
	case CONFIG_TYPE_STRING:
		return key_set_string(c, k, config_setting_get_string(s));
	default:        /* floats, lists, arrays, groups */
		return -1;
	}
}

/* A setting of versions before 1.0: a file that has it gets a warning, and is still valid. */
static void warn_of_fallback(struct walk *w, unsigned line)
{
	if (w->warn)
		str_addf(w->warn, "%s%s:%u: \"fallback\" no longer has an effect: without a worker clients get 503; remove the line",
			 w->warn->len ? "\n" : "", w->f.file, line);
}

/* walk_group - each setting of a group; libconfig limits the depth, and only known groups are entered */
static void walk_group(struct walk *w, config_setting_t *group, const char *prefix)
{
	int count = config_setting_length(group);

	for (int i = 0; i < count; i++) {
		cleanup_str struct str name = STR_INIT;
		config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		unsigned line = config_setting_source_line(s);
		const struct key *k;

		str_addf(&name, "%s%s%s", prefix, *prefix ? "." : "", config_setting_name(s));
		k = key_find(name.buf);
		if (k)
			key_mark_given(w->c, k);
		if (strcmp(name.buf, "auth") == 0) {    /* even an empty group turns authorization on */
			w->c->auth.on = true;
			w->c->auth.line = line;
		}
		if (k && set_value(w->c, k, s) < 0) {
			str_addf(fault(&w->f, line), "\"%s\" ", name.buf);
			key_wants(k, w->f.msg);
		} else if (!k && key_is_group(name.buf) && config_setting_is_group(s)) {
			walk_group(w, s, name.buf);
		} else if (!k && strcmp(name.buf, "fallback") == 0) {
			warn_of_fallback(w, line);
		} else if (!k && key_is_group(name.buf)) {
			str_addf(fault(&w->f, line), "\"%s\" must be a group: %s = { ... }", name.buf, name.buf);
		} else if (!k && !auth_lists_read(&w->c->auth, name.buf, s, &w->f)) {
			str_addf(fault(&w->f, line), "unknown setting \"%s\"; `berth config keys` lists those that exist", name.buf);
		}
	}
}

/* parse - read the text of the file into c; faults go to msg, warnings to warn */
static int parse(struct config *c, const char *file, const struct str *text, struct str *warn, struct str *msg)
{
	struct walk w = { .c = c, .f = { .file = file, .msg = msg }, .warn = warn };
	const char *why;
	unsigned line;
	config_t tree;

	if (text_check(text, &line, &why) < 0) {
		str_puts(fault(&w.f, line), why);
		return -1;
	}
	config_init(&tree);
	if (config_read_string(&tree, text->buf) == CONFIG_TRUE) {
		walk_group(&w, config_root_setting(&tree), "");
	} else {
		str_puts(fault(&w.f, (unsigned)config_error_line(&tree)), config_error_text(&tree));
	}
	config_destroy(&tree);
	return w.f.rc;
}

static int load_file(struct config *c, const char *file, struct str *warn, struct str *msg)
{
	cleanup_str struct str text = STR_INIT, why = STR_INIT;
	int found = text_read(file ? file : CONFIG_DEFAULT_FILE, !file, &text, &why);

	if (!file)
		file = CONFIG_DEFAULT_FILE;
	if (found < 0) {
		str_addf(msg, "%s: %s", file, why.buf);
		return -1;
	}
	if (!found)
		return 0;
	c->file = xstrdup(file);
	return parse(c, file, &text, warn, msg);
}

struct config *config_load(const char *file, char *const *env, struct str *warn, struct str *msg)
{
	cleanup_config struct config *c = xcalloc(1, sizeof(*c));
	int rc;

	for (size_t i = 0; i < key_count; i++)
		if (key_set_text(c, &key_table[i], key_table[i].preset) < 0)
			abort();        /* the table contradicts itself */
	rc = load_file(c, file, warn, msg);
	if (env_apply(c, env, warn, msg) < 0)
		rc = -1;
	if (rc == 0)
		rc = auth_conf_check(c, warn, msg);
	return rc < 0 ? NULL : STEAL(c);
}

void config_close(struct config **c)
{
	if (!*c)
		return;
	free((*c)->file);
	free((*c)->root);
	free((*c)->cors);
	auth_conf_release(&(*c)->auth);
	free(*c);
	*c = NULL;
}

int config_set_root(struct config *c, const char *dir, struct str *msg)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_free char *cwd = NULL;

	if (*dir && *dir != '/') {
		cwd = realpath(".", NULL);
		if (!cwd) {
			str_addf(msg, "%s: the current directory is unknown: %s", dir, strerror(errno));
			return -1;
		}
		str_addf(&path, "%s/", strcmp(cwd, "/") == 0 ? "" : cwd);
	}
	str_puts(&path, dir);
	key_mark_given(c, key_find("root"));
	if (key_set_text(c, key_find("root"), path.buf) == 0)
		return 0;
	str_addf(msg, "\"%s\" cannot be the root directory", dir);
	return -1;
}

static unsigned cores(void)
{
	cpu_set_t set;
	long n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN);      /* more cores than a cpu_set_t has */
	return n > 0 ? (unsigned)n : 1;
}

static unsigned within(unsigned n, unsigned least)
{
	if (n < least)
		return least;
	return n > WORKERS_MAX ? WORKERS_MAX : n;
}

unsigned config_workers(const struct config *c)
{
	return c->workers ? c->workers : within(2 * cores(), 4);
}

unsigned config_write_workers(const struct config *c)
{
	return c->write_workers ? c->write_workers : config_workers(c);
}

unsigned config_upload_workers(const struct config *c)
{
	return c->upload_workers ? c->upload_workers : within(cores(), 2);
}

void config_show(const struct config *c, struct str *out)
{
	for (size_t i = 0; i < key_count; i++) {
		str_addf(out, "%s = ", key_table[i].name);
		key_get(c, &key_table[i], out);
		str_addc(out, '\n');
	}
	auth_lists_show(&c->auth, out);
}

void config_given(const struct config *c, struct str *out)
{
	for (size_t i = 0; i < key_count; i++)
		if (c->given >> i & 1)
			str_addf(out, "%s\n", key_table[i].name);
	auth_lists_given(&c->auth, out);
}

static void add_whole(const struct key *k, struct str *out)
{
	str_addf(out, "%s\n\ttype: ", k->name);
	key_wants(k, out);
	str_addf(out, "\n\tdefault: %s\n", k->preset);
	env_names(k->name, out);
	str_addf(out, "\teffect: %s\n", k->help);
}

void config_keys(bool whole, struct str *out)
{
	for (size_t i = 0; i < key_count; i++)
		if (whole)
			add_whole(&key_table[i], out);
		else
			str_addf(out, "%-20s %-18s %s\n", key_table[i].name, key_table[i].preset, key_table[i].help);
	auth_lists_keys(whole, out);
}
