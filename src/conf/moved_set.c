/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moved_set: from the forms of registry:2 to those of berth's settings.
 *
 * Owns the forms: YAML's and Go's booleans, Go's durations, lists. A part of `moved`; key checks the values.
 */
#include "conf/moved.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "conf/web.h"

#define ENTRIES_MAX 100000

static const struct key *key_of(const struct moved *m)
{
	const struct key *k = key_find(m->key);

	if (!k)
		abort();        /* the tables contradict each other */
	return k;
}

static void wants(struct moved_work *w, const struct moved *m, const struct node *n, const char *what)
{
	str_puts(moved_fault(w, n, m->path), what);
}

static void mark(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str where = STR_INIT;

	node_where(n, &where);
	key_mark(w->c, key_of(m), where.buf);
}

/* set - the value of the key, in its own form; a fault if it cannot have that value */
static void set(struct moved_work *w, const struct moved *m, const struct node *n, const char *text)
{
	if (key_set_text(w->c, key_of(m), text) == 0)
		mark(w, m, n);
	else
		key_wants(key_of(m), moved_fault(w, n, m->path));
}

const struct node *moved_setting(const struct moved_work *w, const char *path)
{
	const struct node *n = node_at(w->vars, path);

	return n || !w->yml ? n : node_at(w->yml, path);
}

int moved_parse_bool(const struct node *n, bool *out)
{
	static const char *const yes[] = { "true", "t", "yes", "y", "on", "1" };
	static const char *const no[] = { "false", "f", "no", "n", "off", "0" };

	*out = false;
	for (size_t i = 0; n->kind == NODE_TEXT && i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(n->text, yes[i]) != 0 && strcasecmp(n->text, no[i]) != 0)
			continue;
		*out = strcasecmp(n->text, yes[i]) == 0;
		return 0;
	}
	return -1;
}

/* set_by - one text for true, another for false; NULL: this sets nothing */
static void set_by(struct moved_work *w, const struct moved *m, const struct node *n, const char *yes, const char *no)
{
	const char *text;
	bool on;

	if (moved_parse_bool(n, &on) < 0) {
		wants(w, m, n, "must be true or false");
		return;
	}
	text = on ? yes : no;
	if (text)
		set(w, m, n, text);
}

void moved_bool(struct moved_work *w, const struct moved *m, const struct node *n)
{
	set_by(w, m, n, "true", "false");
}

/* registry:2 looks whether the value is a boolean of YAML, and leaves deletes off if it is a number or another text. */
void moved_delete(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (n->kind == NODE_TEXT && (strcmp(n->text, "1") == 0 || strcasecmp(n->text, "t") == 0)) {
		moved_warn(w, n, m->path, "is no boolean of YAML, and deletes stay off, as in registry:2; write true to allow them");
		set(w, m, n, "false");
	} else {
		moved_bool(w, m, n);
	}
}

void moved_not(struct moved_work *w, const struct moved *m, const struct node *n)
{
	set_by(w, m, n, "false", "true");
}

void moved_text(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (n->kind == NODE_TEXT)
		set(w, m, n, n->text);
	else
		key_wants(key_of(m), moved_fault(w, n, m->path));
}

/* It was followed before: see config.c. */
void moved_path(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (!n->line && n->kind == NODE_TEXT && w->file && strcmp(n->text, w->file) == 0)
		set(w, m, n, n->text);
	else
		moved_warn(w, n, m->path, "has no effect: another file was named");
}

static void set_lower(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str text = STR_INIT;

	for (const char *p = n->kind == NODE_TEXT ? n->text : ""; *p; p++)
		str_addc(&text, (char)tolower((unsigned char)*p));
	set(w, m, n, text.buf);
}

void moved_level(struct moved_work *w, const struct moved *m, const struct node *n)
{
	set_lower(w, m, n);
}

/* The old name of log.level. */
void moved_loglevel(struct moved_work *w, const struct moved *m, const struct node *n)
{
	const struct node *level = moved_setting(w, "log.level");

	if (!level || level->kind == NODE_NULL)
		set_lower(w, m, n);
}

void moved_formatter(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str what = STR_INIT;

	if (!node_is_set(n) || (n->kind == NODE_TEXT && strcmp(n->text, "json") == 0))
		return;
	str_addf(&what, "has no effect: %s", m->note);
	moved_warn(w, n, m->path, what.buf);
}

/* join - the texts of a list, or one text, with commas between; -1 if it has anything else, or one that is empty or has a comma */
static int join(const struct node *n, struct str *out)
{
	if (n->kind == NODE_TEXT) {
		str_puts(out, n->text);
		return out->len ? 0 : -1;
	}
	for (const struct node *child = n->child; child; child = child->next) {
		if (child->kind != NODE_TEXT || !child->text[0] || strchr(child->text, ','))
			return -1;
		str_addf(out, "%s%s", out->len ? "," : "", child->text);
	}
	return 0;
}

/* An empty text would be lost among others: an authority, without which clients would need no certificate. */
void moved_list(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str text = STR_INIT;

	if (join(n, &text) < 0)
		key_wants(key_of(m), moved_fault(w, n, m->path));
	else
		set(w, m, n, text.buf);
}

void moved_fields(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str text = STR_INIT;

	if (n->kind != NODE_MAP) {
		wants(w, m, n, "must be a map of texts");
		return;
	}
	for (const struct node *child = n->child; child; child = child->next) {
		const char *value = child->text ? child->text : "";
		size_t before = text.len;
		bool fits = child->kind == NODE_TEXT || child->kind == NODE_NULL;

		str_addf(&text, "%s%s=%s", text.len ? "," : "", child->name, value);
		if (fits && !strchr(value, ',') && !strchr(child->name, '=') && key_set_text(w->c, key_of(m), text.buf) == 0)
			continue;
		str_cut(&text, before);
		moved_warn(w, child, m->path, "has no effect for a field that log.fields cannot have");
	}
	set(w, m, n, text.buf);
}

void moved_version(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (n->kind != NODE_TEXT || strcmp(n->text, "0.1") != 0)
		wants(w, m, n, "must be 0.1");
}

int moved_duration(const char *text, uint64_t *seconds, bool *rounded)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "\302\265s", 1e-6 }, { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	double sum = 0;

	*seconds = 0;
	*rounded = false;
	if (strcmp(text, "0") == 0)
		return 0;
	do {
		size_t digits = strspn(text, "0123456789"), part, i;
		double number = 0, scale = 1;

		for (i = 0; i < digits; i++)
			number = number * 10 + (text[i] - '0');
		text += digits;
		part = *text == '.' ? strspn(text + 1, "0123456789") : 0;
		for (i = 1; i <= part; i++)
			number += (text[i] - '0') * (scale /= 10);
		text += part ? part + 1 : 0;
		if (digits + part == 0)
			return -1;
		for (i = 0; i < ARRAY_LEN(units); i++)
			if (strncmp(text, units[i].name, strlen(units[i].name)) == 0 && !isalpha((unsigned char)text[strlen(units[i].name)]))
				break;
		if (i == ARRAY_LEN(units))
			return -1;
		sum += number * units[i].seconds;
		text += strlen(units[i].name);
	} while (*text);
	if (!(sum < 1e15))
		return -1;
	*rounded = (double)(uint64_t)sum < sum;
	*seconds = (uint64_t)sum + *rounded;
	return 0;
}

void moved_age(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t seconds;
	bool rounded;

	if (n->kind != NODE_TEXT || moved_duration(n->text, &seconds, &rounded) < 0) {
		wants(w, m, n, "must be a duration such as 168h or 1h30m");
		return;
	}
	str_add_u64(&text, seconds);
	set(w, m, n, text.buf);
}

#define PURGING "storage.maintenance.uploadpurging"

/* purges - whether uploads are removed at all */
static bool purges(const struct moved_work *w)
{
	const struct node *enabled = moved_setting(w, PURGING ".enabled"), *dry = moved_setting(w, PURGING ".dryrun");
	bool on = true, dry_run = false;

	return (!enabled || moved_parse_bool(enabled, &on) < 0 || on) && (!dry || moved_parse_bool(dry, &dry_run) < 0 || !dry_run);
}

void moved_purging(struct moved_work *w, const struct moved *m, const struct node *n)
{
	set_by(w, m, n, NULL, "0");
}

void moved_purging_dry(struct moved_work *w, const struct moved *m, const struct node *n)
{
	set_by(w, m, n, "0", NULL);
}

void moved_purging_every(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (purges(w))
		moved_age(w, m, n);
}

/* "host:port", ":port", or the path of a socket. */
void moved_address(struct moved_work *w, const struct moved *m, const struct node *n)
{
	const struct node *net = strcmp(m->path, "http.addr") == 0 ? moved_setting(w, "http.net") : NULL;
	cleanup_str struct str text = STR_INIT;

	if (n->kind == NODE_TEXT)
		str_addf(&text, "%s%s", net && net->kind == NODE_TEXT && strcmp(net->text, "unix") == 0 ? "unix:" : "", n->text);
	set(w, m, n, n->kind == NODE_TEXT ? text.buf : "-");
}

void moved_net(struct moved_work *w, const struct moved *m, const struct node *n)
{
	if (n->kind != NODE_TEXT || (n->text[0] && strcmp(n->text, "tcp") != 0 && strcmp(n->text, "unix") != 0))
		wants(w, m, n, "must be tcp or unix");
}

void moved_relative(struct moved_work *w, const struct moved *m, const struct node *n)
{
	set_by(w, m, n, "on", "off");
}

/* add_header - "Name: value" for each value of a header; -1 if it has no texts */
static int add_header(struct str *out, const struct node *n)
{
	const struct node *value = n->kind == NODE_TEXT ? n : n->child;

	for (; value; value = n->kind == NODE_TEXT ? NULL : value->next) {
		if (value->kind != NODE_TEXT)
			return -1;
		str_addf(out, "%s%s: %s", out->len ? "|" : "", n->name, value->text);
	}
	return 0;
}

void moved_headers(struct moved_work *w, const struct moved *m, const struct node *n)
{
	/* On each response anyway, or made by berth itself from the origin. */
	static const char nosniff[] = "X-Content-Type-Options", cors[] = "Access-Control-";
	const struct moved origins = { .path = "http.headers.Access-Control-Allow-Origin", .key = "http.cors" };
	cleanup_str struct str text = STR_INIT;

	if (n->kind != NODE_MAP) {
		wants(w, m, n, "must be a map of headers");
		return;
	}
	for (const struct node *child = n->child; child; child = child->next) {
		cleanup_str struct str one = STR_INIT;

		if (strcasecmp(child->name, "Access-Control-Allow-Origin") == 0)
			moved_list(w, &origins, child);
		else if (strncasecmp(child->name, cors, strlen(cors)) == 0 || strcasecmp(child->name, nosniff) == 0)
			continue;
		else if (add_header(&one, child) < 0)
			wants(w, m, child, "must be a map of headers, each with a list of texts");
		else if (!web_headers_ok(one.buf))
			moved_warn(w, child, m->path, "has no effect for a header that berth sets itself, or that http.headers cannot have");
		else if (one.len)
			str_addf(&text, "%s%s", text.len ? "|" : "", one.buf);
	}
	if (text.len)
		set(w, m, n, text.buf);
}

void moved_client_auth(struct moved_work *w, const struct moved *m, const struct node *n)
{
	const char *text = n->kind == NODE_TEXT ? n->text : "";

	if (strcmp(text, "require-and-verify-client-cert") == 0)
		set(w, m, n, "require");
	else if (strcmp(text, "verify-client-cert-if-given") == 0)
		set(w, m, n, "optional");
	else
		wants(w, m, n, "must be require-and-verify-client-cert or verify-client-cert-if-given: berth verifies each certificate");
}

void moved_minimum_tls(struct moved_work *w, const struct moved *m, const struct node *n)
{
	const char *text = n->kind == NODE_TEXT ? n->text : "";

	if (strcmp(text, "tls1.3") == 0) {
		set(w, m, n, "1.3");
	} else if (strcmp(text, "tls1.2") == 0) {
		set(w, m, n, "1.2");
	} else if (strcmp(text, "tls1.0") == 0 || strcmp(text, "tls1.1") == 0) {
		set(w, m, n, "1.2");
		moved_warn(w, n, m->path, "is 1.2: berth has no TLS 1.0 and 1.1 (http.tls.minimum)");
	} else {
		wants(w, m, n, "must be tls1.2 or tls1.3");
	}
}

void moved_entries(struct moved_work *w, const struct moved *m, const struct node *n)
{
	const char *text = n->kind == NODE_TEXT ? n->text : "";
	size_t len = strlen(text);
	uint64_t count;

	if (text[0] == '-' && len > 1 && strspn(text + 1, "0123456789") == len - 1) {
		set(w, m, n, "0");      /* the default, as there */
	} else if (str_parse_u64(text, len, &count) < 0) {
		wants(w, m, n, "must be a whole number");
	} else if (count > ENTRIES_MAX) {
		set(w, m, n, "100000");
		moved_warn(w, n, m->path, "is 100000: a longer list comes in several pages (catalog.max_entries)");
	} else {
		set(w, m, n, text);
	}
}

void moved_platforms(struct moved_work *w, const struct moved *m, const struct node *n)
{
	const char *text = n->kind == NODE_TEXT ? n->text : "";

	if (strcasecmp(text, "all") == 0) {
		set(w, m, n, "refuse");
	} else if (strcasecmp(text, "none") == 0 || strcasecmp(text, "list") == 0) {
		set(w, m, n, "index");
		if (strcasecmp(text, "list") == 0)
			moved_warn(w, n, m->path, "requires no image of an index: berth has no list of platforms (manifests.sparse)");
	} else {
		wants(w, m, n, "must be all, none or list");
	}
}
