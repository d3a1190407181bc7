/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk: listing digests.
 *
 * Owns no state.
 */
#include "store/walk.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "os/dir.h"
#include "os/file.h"

int walk_digests(struct store *st, const char *dir, enum digest_alg alg, digest_visit *visit, void *arg, struct err *e)
{
	cleanup_names struct names hex = NAMES_INIT;
	size_t i;

	if (os_dir_list(st->dirfd, dir, DIR_DIRS, &hex) < 0 && !os_gone(errno))
		return err_sys(e, "cannot list %s", dir);
	for (i = 0; i < hex.count; i++) {
		struct digest d;
		int rc;

		if (digest_of_hex(&d, alg, hex.v[i], strlen(hex.v[i])) < 0)
			continue;
		rc = visit(arg, &d, e);
		if (rc != 0)
			return rc;
	}
	return 0;
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
