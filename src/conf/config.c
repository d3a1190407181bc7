/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: all sources, read into one struct.
 *
 * Owns their order, libconfig (with the lists), and the walk over its tree. key checks the values of settings, moved those of
 * registry:2. Invariant: a struct config that config_load() returns has passed both.
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
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "conf/auth_conf.h"
#include "conf/endpoints.h"
#include "conf/env.h"
#include "conf/key.h"
#include "conf/moved.h"
#include "conf/rules_conf.h"
#include "conf/text.h"
#include "conf/upstreams.h"
#include "conf/yaml.h"

#define WORKERS_MAX 1024u

struct walk {
	struct config *c;
	struct faults f;
	struct str *warn;               /* NULL: drop warnings */
};

/* What is read before any of it is applied. */
struct sources {
	config_t conf;                  /* the file */
	bool has_conf;
	char *yml_file;                 /* the config.yml of registry:2, or NULL; the nodes borrow it */
	struct node *yml;
	struct env env;
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

static void mark(struct walk *w, const struct key *k, unsigned line)
{
	cleanup_str struct str where = STR_INIT;

	str_addf(&where, "%s:%u", w->f.file, line);
	key_mark(w->c, k, where.buf);
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
			mark(w, k, line);
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
		} else if (!k && !auth_lists_read(&w->c->auth, name.buf, s, &w->f) && !endpoints_read(w->c, name.buf, s, &w->f) &&
			   !rules_read(w->c, name.buf, s, &w->f) && !upstreams_read(w->c, name.buf, s, &w->f)) {
			str_addf(fault(&w->f, line), "unknown setting \"%s\"; `berth config keys` lists those that exist", name.buf);
		}
	}
}

/* parse - read the text of the file into a tree; 0, or -1 with a fault */
static int parse(struct sources *from, const char *file, const struct str *text, struct str *msg)
{
	struct faults f = { .file = file, .msg = msg };
	const char *why;
	unsigned line;

	if (text_check(text, &line, &why) < 0) {
		str_puts(fault(&f, line), why);
		return -1;
	}
	config_init(&from->conf);
	from->has_conf = true;
	if (config_read_string(&from->conf, text->buf) == CONFIG_TRUE)
		return 0;
	str_puts(fault(&f, (unsigned)config_error_line(&from->conf)), config_error_text(&from->conf));
	return -1;
}

/* read_text - 1, 0 if the file is optional and missing, or -1 with a fault */
static int read_text(const char *file, bool optional, struct str *text, struct str *msg)
{
	cleanup_str struct str why = STR_INIT;
	int found = text_read(file, optional, text, &why);

	if (found < 0)
		str_addf(msg, "%s%s: %s", msg->len ? "\n" : "", file, why.buf);
	return found;
}

static int read_conf(struct config *c, struct sources *from, const char *file, struct str *msg)
{
	cleanup_str struct str text = STR_INIT;
	int found = read_text(file ? file : CONFIG_DEFAULT_FILE, !file, &text, msg);

	if (found <= 0)
		return found;
	c->file = xstrdup(file ? file : CONFIG_DEFAULT_FILE);
	return parse(from, c->file, &text, msg);
}

static bool is_yml(const char *file)
{
	size_t len = file ? strlen(file) : 0;

	return (len > 4 && strcmp(file + len - 4, ".yml") == 0) || (len > 5 && strcmp(file + len - 5, ".yaml") == 0);
}

/* The next of paths separated by colons, owned; NULL: there is none. */
static char *next_path(const char **list)
{
	size_t len;
	char *path;

	if (!*list || !**list)
		return NULL;
	len = strcspn(*list, ":");
	path = xstrndup(*list, len);
	*list += len + ((*list)[len] == ':');
	return path;
}

/* The first file that exists, of paths separated by colons; NULL: none does. One that is no file or cannot be read does exist. */
static char *first_of(const char *paths)
{
	char *path;

	for (; (path = next_path(&paths)); free(path))
		if (*path && (access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)))
			return path;
	return NULL;
}

/* Whether a volume is mounted where this file would be. */
static bool in_volume(const char *path)
{
	cleanup_str struct str dir = STR_INIT;
	struct stat own, above;

	str_add(&dir, path, (size_t)(strrchr(path, '/') - path));
	if (stat(dir.buf, &own) < 0)
		return false;
	str_puts(&dir, "/..");
	return stat(dir.buf, &above) == 0 && own.st_dev != above.st_dev;
}

/*
 * Somebody has mounted a directory where the config.yml is looked for, and it has none: another name, perhaps. What the file says would be
 * lost, and the registry would come up open; registry:2 does not start.
 */
static int check_volumes(const char *paths, struct str *msg)
{
	char *path;

	for (; (path = next_path(&paths)); free(path)) {
		if (path[0] != '/' || !in_volume(path))
			continue;
		str_addf(msg, "%s%s: there is no such file, but a volume is mounted there; give it that name, or set REGISTRY_CONFIGURATION_PATH",
			 msg->len ? "\n" : "", path);
		free(path);
		return -1;
	}
	return 0;
}

/* The config.yml that is to be read; NULL: none. */
static char *yml_of(const struct config *c, const struct sources *from, const char *file, char *const *env)
{
	const char *path = is_yml(file) ? file : env_value(env, "REGISTRY_CONFIGURATION_PATH");

	if (!path && from->has_conf)
		config_lookup_string(&from->conf, "config", &path);
	if (path && *path)
		return xstrdup(path);
	return c->file ? NULL : first_of(env_value(env, CONFIG_YML_VARIABLE));
}

/* Whether a config.yml closes the registry, or encrypts it; also where it cannot be read. */
static bool is_closing(const char *file)
{
	static const char *const closing[] = { "auth", "http.tls" };
	cleanup_str struct str text = STR_INIT, ignored = STR_INIT;
	cleanup_node struct node *yml = NULL;
	const char *why;
	unsigned line;

	if (read_text(file, false, &text, &ignored) < 0 || yaml_read(&text, file, true, &yml, &line, &why) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(closing); i++) {
		const struct node *n = node_at(yml, closing[i]);

		if (n && node_is_set(n))
			return true;
	}
	return false;
}

/* A config.yml at its place could be believed to be in force. Where it closes the registry, what it closed would come up open. */
static int check_unread(const struct config *c, const struct sources *from, char *const *env, struct str *warn, struct str *msg)
{
	cleanup_free char *unread = first_of(env_value(env, CONFIG_YML_VARIABLE));
	const char *named;
	struct str *out;
	bool closing;

	if (!unread || config_lookup_string(&from->conf, "config", &named))
		return 0;
	closing = is_closing(unread);
	out = closing ? msg : warn;
	if (out)
		str_addf(out, "%s%s is not read, because there is %s: config = \"%s\"; in it has it read%s", out->len ? "\n" : "", unread, c->file,
			 unread, closing ? ", config = \"\"; leaves out its auth and TLS" : "");
	return closing ? -1 : 0;
}

static int read_yml(struct config *c, struct sources *from, const char *file, char *const *env, struct str *warn, struct str *msg)
{
	cleanup_free char *path = yml_of(c, from, file, env);
	bool by_itself = !from->has_conf && !env_value(env, "REGISTRY_CONFIGURATION_PATH");
	cleanup_str struct str text = STR_INIT;
	const char *why = "has no settings";
	unsigned line = 1;

	if (!path) {
		if (from->has_conf && check_unread(c, from, env, warn, msg) < 0)
			return -1;
		return c->file ? 0 : check_volumes(env_value(env, CONFIG_YML_VARIABLE), msg);
	}
	from->yml_file = STEAL(path);
	free(c->moved_file);
	c->moved_file = xstrdup(from->yml_file);
	if (!c->file)
		c->file = xstrdup(from->yml_file);
	if (is_yml(file) || by_itself)
		key_mark(c, key_find("config"), is_yml(file) ? "--config" : CONFIG_YML_VARIABLE);
	if (read_text(from->yml_file, false, &text, msg) < 0)
		return -1;
	if (yaml_read(&text, from->yml_file, true, &from->yml, &line, &why) == 0 && from->yml && from->yml->kind == NODE_MAP)
		return 0;
	str_addf(msg, "%s%s:%u: %s", msg->len ? "\n" : "", from->yml_file, line ? line : 1, why ? why : "has no settings");
	node_release(&from->yml);
	return -1;
}

static int apply_moved(struct config *c, const struct sources *from, struct node *tree, struct str *warn, struct str *msg)
{
	struct moved_work w = {
		.c = c, .root = tree, .vars = from->env.tree, .yml = from->yml, .file = from->yml_file, .warn = warn, .msg = msg,
	};

	moved_apply(&w);
	return w.rc;
}

/* Defaults that are registry:2's where the configuration comes from there: it looks at no size in a manifest. */
static void preset_moved(struct config *c, const struct sources *from)
{
	const struct key *k = key_find("manifests.sizes");
	const struct node *first = from->yml ? from->yml : from->env.tree->child;

	while (first && first != from->yml && !moved_find(first->name) && !moved_is_group(first->name))
		first = first->next;
	if (first && key_set_text(c, k, "warn") == 0)
		key_mark(c, k, first->source);
}

/* Each overrides what is before it. Every fault is reported, not only the first. */
static int apply(struct config *c, const struct sources *from, struct str *warn, struct str *msg)
{
	struct walk w = { .c = c, .f = { .file = c->file, .msg = msg }, .warn = warn };
	int rc = 0;

	preset_moved(c, from);
	if (from->yml && apply_moved(c, from, from->yml, warn, msg) < 0)
		rc = -1;
	if (from->has_conf)
		walk_group(&w, config_root_setting(&from->conf), "");
	if (apply_moved(c, from, from->env.tree, warn, msg) < 0)
		rc = -1;
	return w.f.rc < 0 ? -1 : rc;
}

/* need - a fault of a setting that has a value although another has none */
static int need(const struct config *c, const char *name, const char *other, struct str *msg)
{
	const char *origin = key_origin(c, key_find(name));

	str_addf(msg, "%s%s: \"%s\" needs \"%s\"", msg->len ? "\n" : "", origin ? origin : "the defaults", name, other);
	return -1;
}

/* Without one of its settings the address would serve without encryption, or to clients without a certificate. */
static int check_tls(const struct config *c, struct str *msg)
{
	const struct config_tls *t = &c->tls;
	int rc = 0;

	if (t->certificate[0] && !t->key[0])
		rc = need(c, "http.tls.certificate", "http.tls.key", msg);
	if (t->key[0] && !t->certificate[0])
		rc = need(c, "http.tls.key", "http.tls.certificate", msg);
	if (t->client_authorities[0] && !t->certificate[0])
		rc = need(c, "http.tls.client_authorities", "http.tls.certificate", msg);
	return rc;
}

struct config *config_load(const char *file, char *const *env, struct str *warn, struct str *msg)
{
	cleanup_config struct config *c = xcalloc(1, sizeof(*c));
	struct sources from = { .env = ENV_INIT };
	int rc;

	for (size_t i = 0; i < key_count; i++)
		if (key_set_text(c, &key_table[i], key_table[i].preset) < 0)
			abort();        /* the table contradicts itself */
	rc = is_yml(file) ? 0 : read_conf(c, &from, file, msg);
	if (rc >= 0)
		rc = read_yml(c, &from, file, env, warn, msg);
	if (env_read(&from.env, env, from.yml, warn, msg) < 0)
		rc = -1;
	if (rc == 0)
		rc = apply(c, &from, warn, msg);
	if (rc == 0)
		rc = check_tls(c, msg);
	if (rc == 0)
		upstreams_check(c, msg, &rc);
	if (rc == 0)
		rc = auth_conf_check(c, warn, msg);
	if (from.has_conf)
		config_destroy(&from.conf);
	node_release(&from.yml);
	env_release(&from.env);
	free(from.yml_file);
	return rc < 0 ? NULL : STEAL(c);
}

void config_close(struct config **c)
{
	if (!*c)
		return;
	free((*c)->file);
	free((*c)->root);
	free((*c)->moved_file);
	free((*c)->listen);
	free((*c)->monitor);
	free((*c)->metrics_path);
	free((*c)->cors);
	free((*c)->host);
	free((*c)->prefix);
	free((*c)->headers);
	free((*c)->tls.certificate);
	free((*c)->tls.key);
	free((*c)->tls.client_authorities);
	free((*c)->log_fields);
	for (size_t i = 0; (*c)->origins && i < key_count; i++)
		free((*c)->origins[i]);
	free((*c)->origins);
	auth_conf_release(&(*c)->auth);
	endpoints_release(*c);
	upstreams_release(*c);
	rules_release(*c);
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
	key_mark(c, key_find("root"), "--root");
	if (key_set_text(c, key_find("root"), path.buf) == 0)
		return 0;
	str_addf(msg, "\"%s\" cannot be the root directory", dir);
	return -1;
}

bool config_relay_needed(const struct config *c)
{
	return c->nendpoints || c->nupstreams;
}

int config_check_files(const struct config *c, struct str *msg)
{
	int rc = endpoints_check_files(c, msg);

	return upstreams_check_files(c, msg) < 0 ? -1 : rc;
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
