/* SPDX-License-Identifier: Apache-2.0 */
/*
 * htpasswd_file: reading and parsing.
 *
 * Owns a copy of the text. Invariant: every entry has a valid user name, which no other has, and a valid hash.
 */
#include "auth/htpasswd_file.h"

#include <stdlib.h>
#include <string.h>

#include "auth/pwhash.h"
#include "auth/watched.h"
#include "base/mem.h"

#define FAULTS_MAX 10
#define COSTS_MAX 16                    /* distinct costs that are counted */
#define NO_USERS_HASH "$2y$10$.......................TvMx.krdabHj9Yj6OS/u2dOLexj3MK"

struct parse {
	struct htpasswd_file *out;
	const char *file;
	struct str *msg;
	size_t cap;
	unsigned faults;
};

void htpasswd_file_release(struct htpasswd_file *f)
{
	free(f->text);
	free(f->v);
	*f = (struct htpasswd_file)HTPASSWD_FILE_INIT;
}

bool htpasswd_user_ok(const char *user, size_t len)
{
	if (len == 0 || len > HTPASSWD_USER_MAX || user[0] == '@' || user[0] == '#')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)user[i] < 0x20 || user[i] == 0x7f || user[i] == ':')
			return false;
	return true;
}

/* Begin a line of the message; NULL if it has enough lines. */
static struct str *fault(struct parse *p, unsigned line)
{
	if (++p->faults > FAULTS_MAX)
		return NULL;
	str_addf(p->msg, "%s%s:%u: ", p->msg->len ? "\n" : "", p->file, line);
	return p->msg;
}

/* s is NUL-terminated, and part of the text that the result owns. */
static void parse_line(struct parse *p, char *s, size_t len, unsigned line)
{
	struct htpasswd_file *out = p->out;
	char *colon = memchr(s, ':', len);
	struct str *msg = NULL;
	const char *why;

	if (!colon) {
		if ((msg = fault(p, line)) != NULL)
			str_puts(msg, "not of the form user:hash");
	} else if (!htpasswd_user_ok(s, (size_t)(colon - s))) {
		if ((msg = fault(p, line)) != NULL)
			str_addf(msg, "a user name has 1 to %d bytes, no control character, and does not begin with @ or #",
				 HTPASSWD_USER_MAX);
	} else if ((why = pwhash_fault(colon + 1, len - (size_t)(colon + 1 - s))) != NULL) {
		if ((msg = fault(p, line)) != NULL)
			str_addf(msg, "the hash %s; berth accepts bcrypt, yescrypt, sha512-crypt and sha256-crypt: "
				 "`berth user passwd` sets a new one", why);
	} else {
		*colon = '\0';
		if (out->count == p->cap) {
			p->cap = p->cap ? p->cap * 2 : 16;
			out->v = xreallocarray(out->v, p->cap, sizeof(*out->v));
		}
		out->v[out->count++] = (struct htpasswd_entry){ s, colon + 1, line };
	}
}

static int by_user(const void *a, const void *b)
{
	const struct htpasswd_entry *x = a, *y = b;
	int order = strcmp(x->user, y->user);

	return order ? order : x->line < y->line ? -1 : 1;
}

static void find_doubles(struct parse *p)
{
	const struct htpasswd_entry *v = p->out->v;
	struct str *msg;

	for (size_t i = 1; i < p->out->count; i++)
		if (strcmp(v[i].user, v[i - 1].user) == 0 && (msg = fault(p, v[i].line)) != NULL)
			str_addf(msg, "the user is already in line %u; remove one of the two", v[i - 1].line);
}

/* An unknown user's password is checked against this hash, so that the answer takes as long as for a known user. */
static const char *usual_hash(const struct htpasswd_file *f)
{
	struct {
		const char *hash;
		size_t len, count;
	} costs[COSTS_MAX] = { { .hash = NO_USERS_HASH } }, *most = &costs[0];
	size_t n = 0, j;

	for (size_t i = 0; i < f->count; i++) {
		const char *hash = f->v[i].hash;
		size_t len = pwhash_cost(hash);

		for (j = 0; j < n && (costs[j].len != len || memcmp(costs[j].hash, hash, len) != 0); j++)
			;
		if (j == COSTS_MAX)
			continue;
		if (j == n) {
			costs[n++].hash = hash;
			costs[j].len = len;
		}
		if (++costs[j].count > most->count)
			most = &costs[j];
	}
	return most->hash;
}

int htpasswd_file_parse(struct htpasswd_file *out, const char *file, const char *text, size_t len, struct str *msg)
{
	struct parse p = { .out = out, .file = file, .msg = msg };
	unsigned line = 1;
	char *s, *end;

	*out = (struct htpasswd_file)HTPASSWD_FILE_INIT;
	if (memchr(text, '\0', len)) {
		str_addf(msg, "%s%s: there is a NUL byte in it", msg->len ? "\n" : "", file);
		return -1;
	}
	out->text = xstrndup(text, len);
	for (s = out->text; *s; s = end, line++) {
		size_t n = strcspn(s, "\n");

		end = s + n + (s[n] == '\n');
		if (n && s[n - 1] == '\r')
			n--;
		s[n] = '\0';
		if (n && s[0] != '#')
			parse_line(&p, s, n, line);
	}
	if (out->count)
		qsort(out->v, out->count, sizeof(*out->v), by_user);
	find_doubles(&p);
	out->usual = usual_hash(out);
	if (!p.faults)
		return 0;
	if (p.faults > FAULTS_MAX)
		str_addf(msg, "\n%s: and %u more faults", file, p.faults - FAULTS_MAX);
	htpasswd_file_release(out);
	return -1;
}

int htpasswd_file_read(struct htpasswd_file *out, const char *file, struct stat *st, struct str *msg)
{
	cleanup_str struct str text = STR_INIT;

	*out = (struct htpasswd_file)HTPASSWD_FILE_INIT;
	if (watched_read(file, HTPASSWD_FILE_MAX_MIB, st, &text, msg) < 0)
		return -1;
	return htpasswd_file_parse(out, file, text.buf, text.len, msg);
}

static int compare_user(const void *key, const void *entry)
{
	return strcmp(key, ((const struct htpasswd_entry *)entry)->user);
}

const struct htpasswd_entry *htpasswd_file_find(const struct htpasswd_file *f, const char *user)
{
	return f->count ? bsearch(user, f->v, f->count, sizeof(*f->v), compare_user) : NULL;
}
