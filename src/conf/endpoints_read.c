/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints_read: "notifications" in the configuration file.
 *
 * Owns the form of the list there. Invariant: each endpoint of a file without faults has a name of its own, a URL, and values
 * within their limits. A part of `endpoints`.
 */
#include "conf/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/lists.h"

#define LIST ENDPOINTS_KEY
#define HEADERS LIST ".headers"
#define EXAMPLE "{ name = \"...\"; url = \"https://...\"; }"

static bool type_ok(const char *s)
{
	const char *slash = strchr(s, '/');

	if (!slash || slash == s || !slash[1] || strlen(s) > 255)
		return false;
	for (; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
	return true;
}

static bool action_ok(const char *s)
{
	unsigned ignored = 0;

	return endpoint_action_add(s, &ignored) == 0;
}

static void read_format(void *group, const config_setting_t *s, struct faults *f)
{
	struct config_endpoint *ep = group;
	const char *text = config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : "";

	for (size_t i = 0; i < ENDPOINT_FORMATS; i++)
		if (strcmp(endpoint_formats[i], text) == 0) {
			ep->format = (enum endpoint_format)i;
			return;
		}
	str_puts(fault(f, config_setting_source_line(s)), "\"" LIST ".format\" must be \"registry\" or \"cloudevents\"");
}

static void read_actions(void *group, const config_setting_t *s, struct faults *f)
{
	static const char wants[] = "\"push\", \"delete\", \"move\", \"untag\", \"remove\", \"rename\", \"mount\", \"blob_push\", "
				    "\"blob_delete\", \"pull\" or \"all\"";
	struct config_endpoint *ep = group;
	cleanup_names struct names list = NAMES_INIT;
	int before = f->rc;

	f->rc = 0;
	lists_texts(&list, s, LIST ".actions", action_ok, wants, f);
	if (f->rc == 0 && !list.count)
		str_puts(fault(f, config_setting_source_line(s)),
			 "\"" LIST ".actions\" is empty; remove the endpoint, or the line for push and delete");
	ep->actions = 0;
	for (size_t i = 0; i < list.count; i++)
		endpoint_action_add(list.v[i], &ep->actions);
	f->rc = f->rc < 0 ? f->rc : before;
}

static void read_header(void *arg, const config_setting_t *s, struct faults *f)
{
	struct config_endpoint *ep = arg;
	struct endpoint_header *h;
	unsigned line = config_setting_source_line(s);
	int before = f->rc;

	if (ep->nheaders == ENDPOINT_HEADERS_MAX) {
		str_addf(fault(f, line), "\"" HEADERS "\" may hold %d headers", ENDPOINT_HEADERS_MAX);
		return;
	}
	f->rc = 0;
	ep->headers = xreallocarray(ep->headers, ep->nheaders + 1, sizeof(*ep->headers));
	h = &ep->headers[ep->nheaders++];
	*h = (struct endpoint_header){ 0 };
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(m);
		const char *text;
		char **at = strcmp(name, "name") == 0 ? &h->name : strcmp(name, "value") == 0 ? &h->value :
			    strcmp(name, "file") == 0 ? &h->file : NULL;
		const char *label = at == &h->name ? HEADERS ".name" : at == &h->value ? HEADERS ".value" : HEADERS ".file";

		if (!at)
			lists_unknown(m, HEADERS, "name, value and file", f);
		else if ((text = lists_text(m, label, f)) != NULL)
			*at = xstrdup(text);
	}
	if (f->rc == 0 && (!h->name || !h->value == !h->file))
		str_puts(fault(f, line), "a header needs a name, and either a value or a file: { name = \"...\"; file = \"/...\"; }");
	else if (f->rc == 0 && !endpoint_header_ok(h->name))
		str_puts(fault(f, line), "\"" HEADERS ".name\" must be the name of a header such as \"Authorization\"");
	else if (f->rc == 0 && endpoint_header_own(h->name))
		str_addf(fault(f, line), "berth sets the header %s itself; remove it", h->name);
	if (f->rc == 0 && h->value && !endpoint_value_ok(h->value))
		str_addf(fault(f, line), "\"" HEADERS ".value\" must be a text of 1 to %d bytes without control characters", ENDPOINT_VALUE_MAX);
	if (f->rc == 0 && h->file && !lists_path_ok(h->file))
		str_puts(fault(f, line), "\"" HEADERS ".file\" must be an absolute path in quotes");
	f->rc = f->rc < 0 ? f->rc : before;
}

static void read_headers(void *group, const config_setting_t *s, struct faults *f)
{
	lists_each(s, HEADERS, read_header, group, f);
}

static const struct list_member members[] = {
	{ "name", LIST_TEXT, offsetof(struct config_endpoint, name), endpoint_name_ok, 0, 0,
	  "a text in quotes of at most 64 letters, digits, '.', '_' and '-', a letter or digit first, not \"lock\", and without .ask, .dead, .new or "
	  ".tmp at its end", NULL },
	{ "url", LIST_TEXT, offsetof(struct config_endpoint, url), endpoint_url_ok, 0, 0,
	  "a URL in quotes such as \"https://ci.example/hook\"", NULL },
	{ "headers", LIST_OTHER, 0, NULL, 0, 0, NULL, read_headers },
	{ "format", LIST_OTHER, 0, NULL, 0, 0, NULL, read_format },
	{ "actions", LIST_OTHER, 0, NULL, 0, 0, NULL, read_actions },
	{ "repos", LIST_TEXTS, offsetof(struct config_endpoint, repos), lists_pattern_ok, 0, 0, "patterns of names such as \"team/**\"", NULL },
	{ "media_types", LIST_TEXTS, offsetof(struct config_endpoint, media_types), type_ok, 0, 0,
	  "media types such as \"application/vnd.oci.image.manifest.v1+json\"", NULL },
	{ "ignored_media_types", LIST_TEXTS, offsetof(struct config_endpoint, ignored_media_types), type_ok, 0, 0,
	  "media types such as \"application/octet-stream\"", NULL },
	{ "secret_file", LIST_TEXT, offsetof(struct config_endpoint, secret_file), lists_file_ok, 0, 0, "an absolute path in quotes, or \"\"", NULL },
	{ "ca", LIST_TEXT, offsetof(struct config_endpoint, ca), lists_file_ok, 0, 0, "an absolute path in quotes, or \"\"", NULL },
	{ "hosts", LIST_TEXTS, offsetof(struct config_endpoint, hosts), lists_host_ok, 0, 0,
	  "names of hosts such as \"hooks.example\", in small letters", NULL },
	{ "timeout", LIST_DURATION, offsetof(struct config_endpoint, timeout), NULL, 1, ENDPOINT_TIMEOUT_MAX,
	  "a duration in quotes such as \"5s\", from \"1s\" to \"1h\"", NULL },
	{ "backoff", LIST_DURATION, offsetof(struct config_endpoint, backoff), NULL, 1, ENDPOINT_BACKOFF_MAX,
	  "a duration in quotes such as \"1s\", from \"1s\" to \"24h\"", NULL },
	{ "backoff_max", LIST_DURATION, offsetof(struct config_endpoint, backoff_max), NULL, 1, ENDPOINT_BACKOFF_MAX_MAX,
	  "a duration in quotes such as \"10m\", from \"1s\" to \"7d\", and not less than backoff", NULL },
	{ "give_up", LIST_DURATION, offsetof(struct config_endpoint, give_up), NULL, ENDPOINT_GIVE_UP_MIN, ENDPOINT_GIVE_UP_MAX,
	  "a duration in quotes such as \"7d\", from \"1m\" to \"3660d\"", NULL },
};

static void read_endpoint(void *arg, const config_setting_t *s, struct faults *f)
{
	struct config *c = arg;
	cleanup_str struct str where = STR_INIT;
	unsigned line = config_setting_source_line(s);
	struct config_endpoint *ep;

	str_addf(&where, "%s:%u", f->file, line);
	ep = endpoints_add(c, where.buf);
	if (!ep) {
		str_addf(fault(f, line), "\"" LIST "\" may hold %d endpoints", ENDPOINTS_MAX);
		return;
	}
	for (int i = 0; i < config_setting_length(s); i++)
		lists_member(ep, members, ARRAY_LEN(members), LIST, config_setting_get_elem(s, (unsigned)i), f);
	if (!config_setting_get_member(s, "name"))
		str_puts(fault(f, line), "an endpoint needs a name: " EXAMPLE);
	else if (ep->name[0] && endpoints_named(c, ep->name, ep))
		str_addf(fault(f, line), "there is another endpoint named \"%s\"; give each a name of its own", ep->name);
	if (!config_setting_get_member(s, "url"))
		str_puts(fault(f, line), "an endpoint needs a url: " EXAMPLE);
	if (ep->backoff_max < ep->backoff && config_setting_get_member(s, "backoff_max"))
		str_puts(fault(f, line), "\"" LIST ".backoff_max\" must not be less than \"" LIST ".backoff\"");
	else if (ep->backoff_max < ep->backoff)
		ep->backoff_max = ep->backoff;
}

bool endpoints_read(struct config *c, const char *name, const config_setting_t *s, struct faults *f)
{
	cleanup_str struct str where = STR_INIT;

	if (strcmp(name, LIST) != 0)
		return false;
	str_addf(&where, "%s:%u", f->file, config_setting_source_line(s));
	endpoints_begin(c, where.buf);
	lists_each(s, LIST, read_endpoint, c, f);
	return true;
}
