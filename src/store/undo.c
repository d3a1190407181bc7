/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo: marks for what a repository has lost.
 *
 * Owns berth/undo/. A name is "TIME.KIND ALG DIGEST.TAG" without the blanks: 16 hex digits; m, d or x; a for sha256 or b for
 * sha512, and base64url. So it has at most 234 bytes, where the 128 hex digits of sha512 and a long tag would not fit into the 255
 * that a file system allows.
 */
#include "store/undo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "store/clock.h"
#include "store/durable.h"
#include "store/store_path.h"

#define EACH 256                /* marks */
#define USEC UINT64_C(1000000)
#define SETTLED (600 * USEC)    /* nobody takes that long to list a directory */
#define HASH_MAX 64             /* bytes of a digest */

static const char kinds[UNDO_KINDS + 1] = "mdx", algs[DIGEST_ALG_COUNT + 1] = "ab";

void undo_name(const struct undo_mark *m, struct str *out)
{
	size_t len = digest_hex_len(m->digest.alg) / 2;
	unsigned char bytes[HASH_MAX];

	digest_bytes(&m->digest, bytes, len);
	clock_add_hex(out, m->usec);
	str_addc(out, '.');
	str_addc(out, kinds[m->kind]);
	str_addc(out, algs[m->digest.alg]);
	b64_encode(B64_URL, bytes, len, out);
	if (m->tag.len) {
		str_addc(out, '.');
		str_add(out, m->tag.s, m->tag.len);
	}
}

static int parse_digest(struct digest *d, enum digest_alg alg, const char *s, size_t len)
{
	cleanup_str struct str bytes = STR_INIT, hex = STR_INIT;
	size_t i;

	bytes.max = HASH_MAX;
	if (b64_decode(B64_URL, s, len, &bytes) < 0)
		return -1;
	for (i = 0; i < bytes.len; i++)
		str_addf(&hex, "%02x", (unsigned char)bytes.buf[i]);
	return digest_of_hex(d, alg, hex.buf, hex.len);
}

int undo_parse(struct undo_mark *m, const char *name, size_t len)
{
	const char *s = name + CLOCK_HEX + 1, *end = name + len, *dot, *kind, *alg;

	*m = (struct undo_mark){ 0 };
	if (len < CLOCK_HEX + 3 || clock_parse_hex(name, len, &m->usec) < 0 || name[CLOCK_HEX] != '.' || !s[0] || !s[1])
		return -1;
	kind = strchr(kinds, s[0]);
	alg = strchr(algs, s[1]);
	if (!kind || !alg)
		return -1;
	s += 2;
	dot = memchr(s, '.', (size_t)(end - s));
	m->kind = (enum undo_kind)(kind - kinds);
	if (parse_digest(&m->digest, (enum digest_alg)(alg - algs), s, (size_t)((dot ? dot : end) - s)) < 0)
		return -1;
	if (dot && tag_parse(&m->tag, dot + 1, (size_t)(end - dot - 1)) < 0)
		return -1;
	return !dot == (m->kind == UNDO_MANIFEST) ? 0 : -1;
}

bool undo_counts(uint64_t usec, uint64_t now, uint64_t keep)
{
	return usec > now || (now - usec) / USEC <= keep;
}

/* `by`: who it was, "" not known: the bytes of the file, which is not flushed for that. */
static int put(struct store *st, const char *dir, const char *name, const char *by, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;

	path_in(&path, dir, name);
	str_add_urlenc(&text, by, strnlen(by, UNDO_BY_MAX));
	if (text.len)
		str_addc(&text, '\n');
	if (store_note(st, path.buf, text.buf, text.len) == 0)
		return 0;
	/* What is no directory is nothing that berth has made here. */
	if (errno == ENOTDIR && store_unblock(st, dir) == 0 && store_note(st, path.buf, text.buf, text.len) == 0)
		return 0;
	return err_sys(e, "cannot make %s", path.buf);
}

/* A power cut may leave a part of the text, or zeros: it counts if it is whole. */
int undo_by(struct store *st, const struct name *n, const struct undo_mark *m, struct str *by, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, name = STR_INIT, path = STR_INIT;
	char text[3 * UNDO_BY_MAX + 1];
	ssize_t len;

	str_reset(by);
	path_undo_marks(&dir, n);
	undo_name(m, &name);
	path_in(&path, dir.buf, name.buf);
	len = os_read_file(st->dirfd, path.buf, text, sizeof(text));
	if (len < 0)
		return os_gone(errno) || errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", path.buf);
	if (len < 2 || (size_t)len > sizeof(text) || text[len - 1] != '\n' || memchr(text, '\0', (size_t)len))
		return 0;
	if (str_add_urldec(by, text, (size_t)len - 1, false) == 0 && by->len)
		return 1;
	str_reset(by);
	return 0;
}

void undo_marks_release(struct undo_marks *m)
{
	free(m->v);
	*m = (struct undo_marks)UNDO_MARKS_INIT;
}

static void take(void *arg, const char *name, size_t len)
{
	struct undo_marks *m = arg;

	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->v = xreallocarray(m->v, m->cap, sizeof(*m->v));
	}
	m->count += undo_parse(&m->v[m->count], name, len) == 0;
}

static int by_time(const void *a, const void *b)
{
	const struct undo_mark *x = a, *y = b;
	int c = x->usec != y->usec ? (x->usec < y->usec ? -1 : 1) : strcmp(x->tag.s, y->tag.s);

	return c ? c : digest_cmp(&x->digest, &y->digest);
}

int undo_read(struct store *st, const struct name *n, struct undo_marks *out, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_undo_marks(&dir, n);
	if (os_dir_each(st->dirfd, dir.buf, DIR_ALL, take, out) < 0 && !os_gone(errno))
		return err_sys(e, "cannot list %s", dir.buf);
	if (out->count > 1)
		qsort(out->v, out->count, sizeof(*out->v), by_time);
	return 0;
}

/* Of one tag and digest, the latest first. */
static int by_what(const void *a, const void *b)
{
	const struct undo_mark *x = *(const struct undo_mark *const *)a, *y = *(const struct undo_mark *const *)b;
	int c = digest_cmp(&x->digest, &y->digest);

	if (c == 0)
		c = strcmp(x->tag.s, y->tag.s);
	return c ? c : x->usec != y->usec ? (x->usec > y->usec ? -1 : 1) : 0;
}

/* Whether the later mark says all of the other one. Who lists a directory may miss a name that is new, so it replaces none yet. */
static bool replaces(const struct undo_mark *later, const struct undo_mark *m, uint64_t now)
{
	return later->usec < now && now - later->usec > SETTLED && digest_eq(&later->digest, &m->digest) && strcmp(later->tag.s, m->tag.s) == 0;
}

void undo_prune(struct store *st, const struct name *n, const struct undo_marks *m, uint64_t now, uint64_t keep)
{
	cleanup_free const struct undo_mark **all = xcalloc(m->count + 1, sizeof(*all));
	cleanup_str struct str dir = STR_INIT, name = STR_INIT, path = STR_INIT;
	size_t i;

	path_undo_marks(&dir, n);
	for (i = 0; i < m->count; i++)
		all[i] = &m->v[i];
	if (m->count > 1)
		qsort(all, m->count, sizeof(*all), by_what);
	for (i = 0; i < m->count; i++) {
		if (undo_counts(all[i]->usec, now, keep) && !(i && replaces(all[i - 1], all[i], now)))
			continue;
		str_reset(&name);
		undo_name(all[i], &name);
		path_in(&path, dir.buf, name.buf);
		os_unlinkat(st->dirfd, path.buf, 0);
	}
}

static void prune_now(struct store *st, const struct name *n, uint64_t now, uint64_t keep)
{
	cleanup_undo_marks struct undo_marks all = UNDO_MARKS_INIT;
	cleanup_err struct err ignored = ERR_INIT;

	if (undo_read(st, n, &all, &ignored) == 0)
		undo_prune(st, n, &all, now, keep);
}

int undo_add(struct store *st, const struct name *n, enum undo_kind kind, const struct tag *t, const struct digest *d, const char *by,
	     uint64_t keep, struct err *e)
{
	struct undo_mark m = { .kind = kind, .digest = *d };
	cleanup_str struct str dir = STR_INIT, name = STR_INIT;

	if (t)
		m.tag = *t;
	if (clock_now(st, &m.usec, e) < 0)
		return -1;
	path_undo_marks(&dir, n);
	undo_name(&m, &name);
	if (put(st, dir.buf, name.buf, by, e) < 0)
		return -1;
	if (st->marked++ % EACH == 0)
		prune_now(st, n, m.usec, keep);
	return 0;
}

int undo_flush(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_undo_marks(&dir, n);
	return durable_dir(st, dir.buf) < 0 ? err_sys(e, "cannot flush %s", dir.buf) : 0;
}

int undo_copy(struct store *st, const struct name *from, const struct name *to, struct err *e)
{
	cleanup_undo_marks struct undo_marks all = UNDO_MARKS_INIT;
	cleanup_str struct str dir = STR_INIT, name = STR_INIT, by = STR_INIT;
	size_t i;

	if (undo_read(st, from, &all, e) < 0)
		return -1;
	path_undo_marks(&dir, to);
	for (i = 0; i < all.count; i++) {
		str_reset(&name);
		undo_name(&all.v[i], &name);
		if (undo_by(st, from, &all.v[i], &by, e) < 0 || put(st, dir.buf, name.buf, by.buf, e) < 0)
			return -1;
	}
	/* Also on an ordered file system: the rename of the repository is flushed at once. */
	return all.count ? undo_flush(st, to, e) : 0;
}

/* The directories above stay: nested repositories may have theirs in them, or may be making one now. */
int undo_remove(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, taken = STR_INIT;
	int found;

	path_undo_marks(&dir, n);
	found = store_trash(st, dir.buf, &taken, e);
	if (found == 1)
		names_add(trashed, taken.buf, taken.len);
	return found < 0 ? -1 : 0;
}
