/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks: a set of trusted keys.
 *
 * Owns the keys and the reading of their files. Invariant: every key in the set may be used to verify; the set, its files
 * and its notes are bounded. Knows nothing of tokens.
 */
#include "jose/jwks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json_check.h"
#include "base/mem.h"
#include "os/file.h"

void jwks_release(struct jwks *set)
{
	for (size_t i = 0; i < set->count; i++) {
		key_close(&set->v[i].key);
		free(set->v[i].kid);
	}
	free(set->v);
	key_roots_close(&set->roots);
	names_release(&set->skipped);
	*set = (struct jwks)JWKS_INIT;
}

static void __attribute__((format(printf, 2, 3))) skip(struct jwks *set, const char *fmt, ...);

static void skip(struct jwks *set, const char *fmt, ...)
{
	cleanup_free char *line = NULL;
	va_list ap;
	int n;

	if (set->skipped.count == JWKS_MAX_NOTES)
		return;
	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n >= 0)
		names_add(&set->skipped, line, (size_t)n);
}

static int add(struct jwks *set, const struct jwks_key *one, struct err *e)
{
	if (set->count == JWKS_MAX_KEYS)
		return err_set(e, ERR_UNKNOWN, "more than %d keys", JWKS_MAX_KEYS);
	if (set->count == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 4;
		set->v = xreallocarray(set->v, set->cap, sizeof(*set->v));
	}
	set->v[set->count++] = *one;
	return 0;
}

int jwks_add_key(struct jwks *set, struct key *k, struct err *e)
{
	int rc = add(set, &(struct jwks_key){ .key = k }, e);

	if (rc < 0)
		key_close(&k);
	return rc;
}

/* "alg" and "kid" of a JWK: 0, or -1 with *why. */
static int read_names(struct json_object *jwk, struct jwks_key *one, struct err *why)
{
	const char *kid, *alg;
	size_t len, alen;
	int has;

	has = json_get_string(jwk, "alg", &alg, &alen);
	if (has < 0 || (has && (key_alg_parse(alg, alen, &one->alg) < 0 || !key_fits(one->key, one->alg))))
		return err_set(why, ERR_UNKNOWN, "its \"alg\" is not supported for this type of key");
	one->has_alg = has;
	has = json_get_string(jwk, "kid", &kid, &len);
	if (has < 0 || len > JWKS_MAX_KID)
		return err_set(why, ERR_UNKNOWN, "its \"kid\" is not a string of at most %d bytes", JWKS_MAX_KID);
	if (has && len) {
		one->kid = xstrndup(kid, len);
		one->kid_len = len;
	}
	return 0;
}

static int add_jwk(struct jwks *set, const char *name, size_t number, struct json_object *jwk, struct err *e)
{
	cleanup_err struct err why = ERR_INIT;
	struct jwks_key one = { .key = key_from_jwk(jwk, &why) };

	if (one.key && read_names(jwk, &one, &why) == 0) {
		if (add(set, &one, &why) == 0)
			return 0;
		free(one.kid);
		key_close(&one.key);
		return err_set(e, ERR_UNKNOWN, "%s: %s", name, why.detail);
	}
	key_close(&one.key);
	skip(set, "%s: key %zu: %s", name, number, why.detail);
	return 0;
}

static int add_json(struct jwks *set, const char *name, const char *text, size_t len, struct err *e)
{
	cleanup_json struct json_object *top = NULL;
	struct json_object *keys;
	struct json_fault f;

	top = json_read(text, len, &f);
	if (!top)
		return err_set(e, ERR_UNKNOWN, "%s: not JSON: %s at byte %zu", name, f.what, f.at);
	if (!json_object_object_get_ex(top, "keys", NULL))
		return add_jwk(set, name, 1, top, e);
	if (json_get_array(top, "keys", &keys) != 1)
		return err_set(e, ERR_UNKNOWN, "%s: \"keys\" is not a list", name);
	for (size_t i = 0; i < json_object_array_length(keys); i++) {
		if (i == JWKS_MAX_KEYS)
			return err_set(e, ERR_UNKNOWN, "%s: more than %d keys", name, JWKS_MAX_KEYS);
		if (add_jwk(set, name, i + 1, json_object_array_get_idx(keys, i), e) < 0)
			return -1;
	}
	return 0;
}

static int add_pem(struct jwks *set, const char *name, const char *text, size_t len, bool roots, struct err *e)
{
	cleanup_key_pem struct key_pem *pem = key_pem_open(text, len);
	cleanup_err struct err why = ERR_INIT;
	struct key *k;
	size_t number;
	int rc;

	for (number = 1; (rc = key_pem_next(pem, &k, &why)) != 0; number++) {
		if (number > JWKS_MAX_KEYS) {
			key_close(&k);
			return err_set(e, ERR_UNKNOWN, "%s: more than %d keys", name, JWKS_MAX_KEYS);
		}
		if (rc < 0)
			skip(set, "%s: block %zu: %s", name, number, why.detail);
		else if (jwks_add_key(set, k, &why) < 0)
			return err_set(e, ERR_UNKNOWN, "%s: %s", name, why.detail);
	}
	if (roots) {
		if (!set->roots)
			set->roots = key_roots_open();
		key_roots_add_pem(set->roots, text, len);
	}
	return 0;
}

/* Add the keys of JSON or PEM text, told apart by the first byte: 0, perhaps with no key added, or -1 with *e. */
static int add_any(struct jwks *set, const char *name, const char *text, size_t len, bool roots, struct err *e)
{
	size_t i = 0;

	while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r'))
		i++;
	if (i < len && text[i] == '{')
		return add_json(set, name, text, len, e);
	return add_pem(set, name, text, len, roots, e);
}

/* The error for a file or directory without a usable key, with the first reason, if there is one. */
static int no_keys(const struct jwks *set, size_t first_note, const char *name, struct err *e)
{
	size_t head = strlen(name);
	const char *note;

	if (first_note >= set->skipped.count)
		return err_set(e, ERR_UNKNOWN, "%s: no key in it (a JWK Set, or PEM certificates or public keys)", name);
	note = set->skipped.v[first_note];
	if (strncmp(note, name, head) == 0 && note[head] == ':')
		note += head + 2;
	return err_set(e, ERR_UNKNOWN, "%s: no usable key: %s", name, note);
}

int jwks_add_text(struct jwks *set, const char *name, const char *text, size_t len, bool roots, struct err *e)
{
	size_t before = set->count, notes = set->skipped.count;

	if (len > JWKS_MAX_FILE)
		return err_set(e, ERR_UNKNOWN, "%s: longer than %d bytes", name, JWKS_MAX_FILE);
	if (add_any(set, name, text, len, roots, e) < 0)
		return -1;
	return set->count > before ? 0 : no_keys(set, notes, name, e);
}

/* Read an open file whole: 0 or -1 with *e. */
static int read_file(int fd, const char *name, const struct stat *st, struct str *text, struct err *e)
{
	if (st->st_size > JWKS_MAX_FILE)
		return err_set(e, ERR_UNKNOWN, "%s: longer than %d bytes", name, JWKS_MAX_FILE);
	if (os_read_str(fd, JWKS_MAX_FILE + 1, text) < 0)
		return err_set(e, ERR_UNKNOWN, "%s: %s", name, strerror(errno));
	return 0;
}

/* One file of a directory: a file without keys is noted, one that cannot be read is an error. */
static int add_entry(struct jwks *set, const char *dir, int dirfd, const char *entry, bool roots, struct err *e)
{
	cleanup_fd int fd = os_open(dirfd, entry, O_RDONLY | O_NONBLOCK, 0);
	cleanup_str struct str name = STR_INIT, text = STR_INIT;
	cleanup_err struct err why = ERR_INIT;
	struct stat st;

	str_addf(&name, "%s/%s", dir, entry);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_UNKNOWN, "%s: %s", name.buf, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return 0;
	if (read_file(fd, name.buf, &st, &text, e) < 0)
		return -1;
	if (jwks_add_text(set, name.buf, text.buf, text.len, roots, &why) < 0) {
		if (set->count == JWKS_MAX_KEYS)
			return err_set(e, ERR_UNKNOWN, "%s", why.detail);
		skip(set, "%s", why.detail);
	}
	return 0;
}

static int add_directory(struct jwks *set, const char *path, int fd, bool roots, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t before = set->count, notes = set->skipped.count, files = 0, i;

	if (os_dir_read(fd, DIR_ALL, &names) < 0)
		return err_set(e, ERR_UNKNOWN, "%s: %s", path, strerror(errno));
	names_sort(&names);
	for (i = 0; i < names.count; i++) {
		if (names.v[i][0] == '.')
			continue;
		if (++files > JWKS_MAX_FILES)
			return err_set(e, ERR_UNKNOWN, "%s: more than %d files", path, JWKS_MAX_FILES);
		if (add_entry(set, path, fd, names.v[i], roots, e) < 0)
			return -1;
	}
	return set->count > before ? 0 : no_keys(set, notes, path, e);
}

int jwks_add_path(struct jwks *set, const char *path, bool roots, struct err *e)
{
	cleanup_fd int fd = os_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
	cleanup_str struct str text = STR_INIT;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, ERR_UNKNOWN, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_directory(set, path, fd, roots, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNKNOWN, "%s: neither a file nor a directory", path);
	if (read_file(fd, path, &st, &text, e) < 0)
		return -1;
	return jwks_add_text(set, path, text.buf, text.len, roots, e);
}

static bool is(const char *name, const char *kid, size_t len)
{
	return len == strlen(name) && memcmp(name, kid, len) == 0;
}

static bool usable(const struct jwks_key *k, enum key_alg alg)
{
	return key_fits(k->key, alg) && (!k->has_alg || k->alg == alg);
}

const struct key *jwks_find(const struct jwks *set, const char *kid, size_t len, enum key_alg alg, bool *named)
{
	*named = false;
	for (size_t i = 0; i < set->count; i++) {
		const struct jwks_key *k = &set->v[i];

		if ((k->kid && len == k->kid_len && memcmp(k->kid, kid, len) == 0) ||
		    is(key_thumbprint(k->key), kid, len) || is(key_libtrust_id(k->key), kid, len)) {
			*named = true;
			if (usable(k, alg))
				return k->key;
		}
	}
	return NULL;
}
