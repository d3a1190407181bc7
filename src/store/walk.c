/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk: listing digests, and names of repositories.
 *
 * Owns no state.
 */
#include "store/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "os/dir.h"
#include "os/file.h"
#include "store/store_path.h"

struct hexes {                          /* names of one length, concatenated without separators */
	struct str all;
	size_t len;
};

static void take_hex(void *arg, const char *name, size_t len)
{
	struct hexes *h = arg;

	if (len == h->len)
		str_add(&h->all, name, len);
}

static int compare(const void *a, const void *b, void *len)
{
	return memcmp(a, b, *(size_t *)len);
}

int walk_digests(struct store *st, const char *dir, enum digest_alg alg, digest_visit *visit, void *arg, struct err *e)
{
	struct hexes h = { STR_INIT, digest_hex_len(alg) };
	int rc = 0;

	if (os_dir_each(st->dirfd, dir, DIR_DIRS, take_hex, &h) < 0 && !os_gone(errno)) {
		rc = err_sys(e, "cannot list %s", dir);
	} else if (h.all.len) {
		qsort_r(h.all.buf, h.all.len / h.len, h.len, compare, &h.len);
		for (size_t at = 0; rc == 0 && at < h.all.len; at += h.len) {
			struct digest d;

			if (digest_of_hex(&d, alg, h.all.buf + at, h.len) == 0)
				rc = visit(arg, &d, e);
		}
	}
	str_release(&h.all);
	return rc;
}

int walk_all(struct store *st, const struct name *n,
	     void (*path)(struct str *p, const struct name *n, enum digest_alg alg), digest_visit *visit, void *arg,
	     struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int alg, rc = 0;

	for (alg = 0; rc == 0 && alg < DIGEST_ALG_COUNT; alg++) {
		path(&dir, n, (enum digest_alg)alg);
		rc = walk_digests(st, dir.buf, (enum digest_alg)alg, visit, arg, e);
	}
	return rc;
}

/* A name is bounded, and so is the depth. */
static int names_below(struct store *st, const char *dir, const char *prefix, name_visit *visit, void *arg, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str below = STR_INIT, name = STR_INIT;
	struct name n;
	int rc = 0;

	if (os_dir_list(st->dirfd, dir, DIR_DIRS, &all) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", dir);
	for (size_t i = 0; rc == 0 && i < all.count; i++) {
		if (!name_component_ok(all.v[i], strlen(all.v[i])))
			continue;
		str_reset(&name);
		str_addf(&name, "%s%s%s", prefix, *prefix ? "/" : "", all.v[i]);
		if (name_parse(&n, name.buf, name.len) < 0)
			continue;
		path_in(&below, dir, all.v[i]);
		rc = names_below(st, below.buf, name.buf, visit, arg, e);
		if (rc == 0)
			rc = visit(arg, &n, below.buf, e);
	}
	return rc;
}

int walk_names(struct store *st, const char *top, name_visit *visit, void *arg, struct err *e)
{
	return names_below(st, top, "", visit, arg, e);
}

int walk_flush(struct store *st, const struct name *n, void (*path)(struct str *p, const struct name *n, enum digest_alg alg),
	       struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		path(&dir, n, (enum digest_alg)alg);
		if (store_flush_dir(st, dir.buf) < 0 && !os_gone(errno))
			return err_sys(e, "cannot flush %s", dir.buf);
	}
	return 0;
}
