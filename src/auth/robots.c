/* SPDX-License-Identifier: Apache-2.0 */
/*
 * robots: reading a file of accounts and finding them.
 *
 * Owns the contents of the file. Invariant: every robot has a hash, at least one right and one valid pattern. Knows no
 * requests.
 */
#include "auth/robots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "auth/watched.h"
#include "base/b64.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/time.h"
#include "os/file.h"

#define FILE_MAX_MIB 1
#define NAME_MAX_LEN 64
#define SECRET_PREFIX "berth_"          /* lets scanners find a leaked secret */
#define SECRET_BYTES 32

struct robots {
	struct robots_file now;
	struct watched watched;
};

void robots_file_release(struct robots_file *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->v[i].user);
		names_release(&f->v[i].repositories);
	}
	free(f->v);
	*f = (struct robots_file)ROBOTS_FILE_INIT;
}

bool robot_is(const char *user)
{
	return strncmp(user, ROBOT_PREFIX, strlen(ROBOT_PREFIX)) == 0;
}

bool robot_user_ok(const char *user, size_t len)
{
	size_t prefix = strlen(ROBOT_PREFIX);

	if (len <= prefix || len > prefix + NAME_MAX_LEN || memcmp(user, ROBOT_PREFIX, prefix) != 0)
		return false;
	return strspn(user + prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") >= len - prefix;
}

static int parse_expires(struct robot *r, const char *s)
{
	uint64_t at;

	if (strcmp(s, "never") == 0)
		return 0;
	if (str_parse_u64(s, strlen(s), &at) < 0 || at == 0 || at > INT64_MAX)
		return -1;
	r->expires = (int64_t)at;
	return 0;
}

/* The next word of a list separated by commas, NUL-terminated in place; NULL at the end. */
static char *next_word(char **rest)
{
	char *word = *rest;

	if (!word)
		return NULL;
	*rest = strchr(word, ',');
	if (*rest)
		*(*rest)++ = '\0';
	return word;
}

static int parse_actions(struct robot *r, char *s)
{
	char *word;

	while ((word = next_word(&s)) != NULL)
		if (right_add(word, &r->may) < 0)
			return -1;
	return r->may ? 0 : -1;
}

static int parse_repositories(struct robot *r, char *s)
{
	char *word;

	while ((word = next_word(&s)) != NULL) {
		if (pattern_fault(word))
			return -1;
		names_add(&r->repositories, word, strlen(word));
	}
	return r->repositories.count ? 0 : -1;
}

bool robot_admin_ok(const struct robot *r)
{
	for (size_t i = 0; i < r->repositories.count; i++)
		if (pattern_is_all(r->repositories.v[i]))
			return true;
	return !(r->may & RIGHT_ADMIN);
}

/* Parse one line in place: NULL, or what is wrong with it. */
static const char *parse_line(struct robot *r, char *line)
{
	char *field[5], *p = line;
	size_t i;

	for (i = 0; i < ARRAY_LEN(field); i++) {
		field[i] = p;
		p = i + 1 < ARRAY_LEN(field) ? strchr(p, ':') : NULL;
		if (p)
			*p++ = '\0';
		else if (i + 1 < ARRAY_LEN(field))
			return "not of the form robot+NAME:HASH:EXPIRES:ACTIONS:REPOSITORIES";
	}
	if (!robot_user_ok(field[0], strlen(field[0])))
		return "a robot is named robot+NAME: 1 to 64 letters, digits, '.', '_' or '-'";
	r->user = xstrdup(field[0]);
	if (strlen(field[1]) != ROBOT_HASH_LEN || strspn(field[1], "0123456789abcdef") != ROBOT_HASH_LEN)
		return "the hash is not 64 hexadecimal digits; `berth token add` makes one";
	memcpy(r->hash, field[1], ROBOT_HASH_LEN + 1);
	if (parse_expires(r, field[2]) < 0)
		return "the expiry time is neither \"never\" nor seconds since 1970";
	if (parse_actions(r, field[3]) < 0)
		return "the actions must be \"pull\", \"push\", \"delete\" or \"admin\", separated by commas";
	if (parse_repositories(r, field[4]) < 0)
		return "the repositories are missing, or not patterns of names";
	return robot_admin_ok(r) ? NULL : "\"admin\" is a right in the whole registry: it needs the repository **";
}

static int by_user(const void *a, const void *b)
{
	return strcmp(((const struct robot *)a)->user, ((const struct robot *)b)->user);
}

static const char *add_line(struct robots_file *out, char *line)
{
	struct robot *r;

	out->v = xreallocarray(out->v, out->count + 1, sizeof(*out->v));
	r = &out->v[out->count++];
	*r = (struct robot){ .repositories = NAMES_INIT };
	return parse_line(r, line);
}

int robots_parse(struct robots_file *out, const char *file, const char *text, size_t len, struct str *msg)
{
	cleanup_free char *copy = xstrndup(text, len);
	const char *why = memchr(text, '\0', len) ? "a NUL byte" : NULL;
	unsigned line = 0;
	char *s = copy, *end;

	*out = (struct robots_file)ROBOTS_FILE_INIT;
	for (; !why && *s; s = end) {
		size_t n = strcspn(s, "\r\n");

		end = s + n + strspn(s + n, "\r");
		end += *end == '\n';
		s[n] = '\0';
		line++;
		if (n && s[0] != '#')
			why = add_line(out, s);
	}
	if (out->count)
		qsort(out->v, out->count, sizeof(*out->v), by_user);
	for (size_t i = 1; !why && i < out->count; i++)
		if (strcmp(out->v[i].user, out->v[i - 1].user) == 0)
			why = "two lines have the same robot";
	if (!why)
		return 0;
	str_addf(msg, "%s%s:%u: %s", msg->len ? "\n" : "", file, line, why);
	robots_file_release(out);
	return -1;
}

int robots_read(struct robots_file *out, const char *file, struct stat *st, struct str *msg)
{
	cleanup_str struct str text = STR_INIT, why = STR_INIT;

	*out = (struct robots_file)ROBOTS_FILE_INIT;
	if (watched_read(file, FILE_MAX_MIB, st, &text, &why) == 0)
		return robots_parse(out, file, text.buf, text.len, msg);
	if (errno == ENOENT)
		return 0;
	str_addf(msg, "%s%s", msg->len ? "\n" : "", why.buf);
	return -1;
}

static int compare_user(const void *key, const void *robot)
{
	return strcmp(key, ((const struct robot *)robot)->user);
}

const struct robot *robots_file_find(const struct robots_file *f, const char *user)
{
	return f->count ? bsearch(user, f->v, f->count, sizeof(*f->v), compare_user) : NULL;
}

void robot_line(const struct robot *r, struct str *out)
{
	str_addf(out, "%s:", r->hash);
	if (r->expires)
		str_addf(out, "%" PRId64 ":", r->expires);
	else
		str_puts(out, "never:");
	right_list(r->may, "", ",", out);
	for (size_t i = 0; i < r->repositories.count; i++)
		str_addf(out, "%c%s", i ? ',' : ':', r->repositories.v[i]);
}

static void hash_of(const char *secret, size_t len, char hash[ROBOT_HASH_LEN + 1])
{
	struct digest d;

	digest_of(&d, DIGEST_SHA256, secret, len);
	memcpy(hash, digest_hex(&d), ROBOT_HASH_LEN + 1);
}

void robot_secret(struct str *out, char hash[ROBOT_HASH_LEN + 1])
{
	unsigned char random[SECRET_BYTES];
	size_t at = out->len;

	os_random(random, sizeof(random));
	str_puts(out, SECRET_PREFIX);
	b64_encode(B64_URL, random, sizeof(random), out);
	hash_of(out->buf + at, out->len - at, hash);
	explicit_bzero(random, sizeof(random));
}

bool robot_has_secret(const struct robot *r, const char *secret, size_t len)
{
	char hash[ROBOT_HASH_LEN + 1];
	unsigned differ = 0;

	hash_of(secret, len, hash);
	for (size_t i = 0; i < ROBOT_HASH_LEN; i++)
		differ |= (unsigned char)(hash[i] ^ r->hash[i]);
	return !differ;
}

bool robot_expired(const struct robot *r, int64_t now)
{
	return r->expires && now >= r->expires;
}

static int read_file(void *owner, struct stat *st, size_t *count, struct str *msg)
{
	struct robots *r = owner;
	struct robots_file f;

	if (robots_read(&f, r->watched.file, st, msg) < 0)
		return -1;
	robots_file_release(&r->now);
	r->now = f;
	*count = f.count;
	return 0;
}

struct robots *robots_open(const char *file)
{
	struct robots *r = xcalloc(1, sizeof(*r));

	watched_init(&r->watched, file, "robots", read_file, r);
	return r;
}

void robots_close(struct robots **r)
{
	if (!*r)
		return;
	robots_file_release(&(*r)->now);
	watched_release(&(*r)->watched);
	free(*r);
	*r = NULL;
}

int robots_find(struct robots *r, const char *user, const struct robot **out, struct err *e)
{
	*out = NULL;
	if (watched_check(&r->watched, time_now_usec(), e) < 0)
		return -1;
	*out = robots_file_find(&r->now, user);
	return *out ? 1 : 0;
}
