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

#define NOTES_MAX 10                    /* messages of each kind that are written */
#define ACCEPTED "berth accepts bcrypt, yescrypt, sha512-crypt and sha256-crypt: `berth user passwd` sets a new one"
#define COSTS_MAX 16                    /* distinct costs that are counted */
#define NO_USERS_HASH "$2y$10$.......................TvMx.krdabHj9Yj6OS/u2dOLexj3MK"

/* Messages of one kind: the first ones, and how many there are. */
struct notes {
	struct str *out;        /* NULL: nobody wants them */
	unsigned count;
};

struct parse {
	struct htpasswd_file *out;
	const char *file;
	struct notes faults, skipped;
	size_t cap;
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

/* Begin a line of the messages; NULL if there are enough. */
static struct str *note(struct parse *p, struct notes *n, unsigned line)
{
	if (++n->count > NOTES_MAX || !n->out)
		return NULL;
	str_addf(n->out, "%s%s:%u: ", n->out->len ? "\n" : "", p->file, line);
	return n->out;
}

static void note_rest(const struct parse *p, const struct notes *n, const char *what)
{
	if (n->count > NOTES_MAX && n->out)
		str_addf(n->out, "\n%s: and %u more %s", p->file, n->count - NOTES_MAX, what);
}

/* hash NULL: the line is skipped, but it is the user's. */
static void add_entry(struct parse *p, const char *user, const char *hash, unsigned line)
{
	struct htpasswd_file *out = p->out;

	if (out->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		out->v = xreallocarray(out->v, p->cap, sizeof(*out->v));
	}
	out->v[out->count++] = (struct htpasswd_entry){ user, hash, line };
}

/* s is NUL-terminated, and part of the text that the result owns. */
static void parse_line(struct parse *p, char *s, size_t len, unsigned line)
{
	char *colon = memchr(s, ':', len);
	struct str *msg = NULL;
	const char *why;

	if (!colon) {
		if ((msg = note(p, &p->faults, line)) != NULL)
			str_puts(msg, "not of the form user:hash");
		return;
	}
	if (!htpasswd_user_ok(s, (size_t)(colon - s))) {
		if ((msg = note(p, &p->faults, line)) != NULL)
			str_addf(msg, "a user name has 1 to %d bytes, no control character, and does not begin with @ or #",
				 HTPASSWD_USER_MAX);
		return;
	}
	why = pwhash_fault(colon + 1, len - (size_t)(colon + 1 - s));
	*colon = '\0';
	if (!why || pwhash_is_foreign(colon + 1))
		add_entry(p, s, why ? NULL : colon + 1, line);
	if (why && pwhash_is_foreign(colon + 1)) {
		if ((msg = note(p, &p->skipped, line)) != NULL)
			str_addf(msg, "the hash %s: the line is skipped, and nobody can log in by it; " ACCEPTED, why);
	} else if (why && (msg = note(p, &p->faults, line)) != NULL) {
		str_addf(msg, "the hash %s; " ACCEPTED, why);
	}
}

static int by_user(const void *a, const void *b)
{
	const struct htpasswd_entry *x = a, *y = b;
	int order = strcmp(x->user, y->user);

	return order ? order : x->line < y->line ? -1 : 1;
}

/* Keep the last line of each user, if it is not skipped. The entries are sorted by user and line. */
static void keep_last(struct parse *p)
{
	struct htpasswd_entry *v = p->out->v;
	size_t kept = 0;
	struct str *msg;

	for (size_t i = 0; i < p->out->count; i++) {
		bool last = i + 1 == p->out->count || strcmp(v[i].user, v[i + 1].user) != 0;

		if (last && v[i].hash)
			v[kept++] = v[i];
		else if (!last && v[i].hash && (msg = note(p, &p->skipped, v[i].line)) != NULL)
			str_addf(msg, "the user is in line %u again: this line is skipped, and nobody can log in by it; remove it", v[i + 1].line);
	}
	p->out->count = kept;
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

/* trim - a line without white space around it; it ends with a NUL then */
static char *trim(char *s, size_t *len)
{
	while (*len && strchr(" \t\r\v\f", s[*len - 1]))
		--*len;
	s[*len] = '\0';
	while (*s && strchr(" \t\r\v\f", *s)) {
		s++;
		--*len;
	}
	return s;
}

int htpasswd_file_parse(struct htpasswd_file *out, const char *file, const char *text, size_t len, struct str *skipped,
			struct str *msg)
{
	struct parse p = { .out = out, .file = file, .faults = { .out = msg }, .skipped = { .out = skipped } };
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
		s = trim(s, &n);
		if (n && s[0] != '#')
			parse_line(&p, s, n, line);
	}
	if (out->count)
		qsort(out->v, out->count, sizeof(*out->v), by_user);
	keep_last(&p);
	out->usual = usual_hash(out);
	note_rest(&p, &p.skipped, "skipped lines");
	if (!p.faults.count)
		return 0;
	note_rest(&p, &p.faults, "faults");
	htpasswd_file_release(out);
	return -1;
}

int htpasswd_file_read(struct htpasswd_file *out, const char *file, struct stat *st, struct str *skipped, struct str *msg)
{
	cleanup_str struct str text = STR_INIT;

	*out = (struct htpasswd_file)HTPASSWD_FILE_INIT;
	if (watched_read(file, HTPASSWD_FILE_MAX_MIB, st, &text, msg) < 0)
		return -1;
	return htpasswd_file_parse(out, file, text.buf, text.len, skipped, msg);
}

static int compare_user(const void *key, const void *entry)
{
	return strcmp(key, ((const struct htpasswd_entry *)entry)->user);
}

const struct htpasswd_entry *htpasswd_file_find(const struct htpasswd_file *f, const char *user)
{
	return f->count ? bsearch(user, f->v, f->count, sizeof(*f->v), compare_user) : NULL;
}
