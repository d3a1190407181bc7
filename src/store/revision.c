/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revision: manifests of a repository.
 *
 * Owns repositories/<name>/_manifests/revisions/.
 */
#include "store/revision.h"

#include <errno.h>

#include "os/dir.h"
#include "os/file.h"
#include "store/link.h"
#include "store/repo.h"
#include "store/store_path.h"

int revision_read(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_revision(&dir, n, d);
	return link_read_in(st, dir.buf, target, e);
}

void revision_touch(struct store *st, const struct name *n, const struct digest *d)
{
	cleanup_str struct str dir = STR_INIT;

	path_revision(&dir, n, d);
	link_touch(st, dir.buf);
}

int revision_set(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_revision(&dir, n, d);
	if (repo_ensure(st, n, e) < 0 || link_ensure(st, dir.buf, d, e) < 0)
		return -1;
	/* <alg>, revisions, _manifests, the repository itself and up to repositories/ */
	if (store_flush_above(st, dir.buf, 4 + path_repository_above(n)) < 0)
		return err_sys(e, "cannot flush the directories of %s", dir.buf);
	return 0;
}

int revision_flush(struct store *st, const struct name *n, enum digest_alg alg, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_revisions(&dir, n, alg);
	if (store_flush_dir(st, dir.buf) < 0)
		return err_sys(e, "cannot flush %s", dir.buf);
	return 0;
}

int revision_remove(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, trashed = STR_INIT;
	int found;

	path_revision(&dir, n, d);
	found = store_trash(st, dir.buf, &trashed, e);
	if (found <= 0)
		return found;
	if (store_flush_above(st, dir.buf, 1) < 0)
		return err_sys(e, "cannot flush the directory of %s", dir.buf);
	store_purge(st, trashed.buf);
	return 1;
}

int revision_walk(struct store *st, const struct name *n,
		  int (*visit)(void *arg, const struct digest *d, struct err *e), void *arg, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, text = STR_INIT;
	int alg, rc;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		cleanup_names struct names hex = NAMES_INIT;
		size_t i;

		path_revisions(&dir, n, (enum digest_alg)alg);
		if (os_dir_list(st->dirfd, dir.buf, DIR_DIRS, &hex) < 0 && !os_gone(errno))
			return err_sys(e, "cannot list %s", dir.buf);
		for (i = 0; i < hex.count; i++) {
			struct digest d;

			str_reset(&text);
			str_addf(&text, "%s:%s", digest_alg_name((enum digest_alg)alg), hex.v[i]);
			if (digest_parse(&d, text.buf, text.len) < 0)
				continue;
			rc = visit(arg, &d, e);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}
