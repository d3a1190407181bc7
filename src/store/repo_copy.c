/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo_copy: copying layer links to another name, then moving the manifests.
 *
 * Owns the copy below berth/tmp/ until it is published. Invariant: _manifests/ moves only after every layer link of the
 * repository is durable under the new name.
 */
#include "store/repo_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/blob.h"
#include "store/link.h"
#include "store/repo_take.h"
#include "store/store_path.h"

#define FEW 32          /* links: so many may be left for the time when writers wait */
#define ROUNDS 8

static void copy_path(struct str *p, const struct repo_copy *c, const struct digest *d)
{
	str_reset(p);
	str_addf(p, "%s/%s/%s", c->dir.buf, digest_alg_name(d->alg), digest_hex(d));
}

/* Adds a link to the copy. It is flushed at once while writers wait, else together with the others. */
static int put(struct repo_copy *c, const struct digest *d, const struct digest *target, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, path = STR_INIT;
	struct store *st = c->st;

	copy_path(&dir, c, d);
	if (os_mkdirs(st->dirfd, dir.buf) < 0)
		return err_sys(e, "cannot make %s", dir.buf);
	path_in(&path, dir.buf, STORE_LINK);
	if (os_write_file(st->dirfd, path.buf, target->text, strlen(target->text), c->last && st->flush) < 0 ||
	    (c->last && store_flush_above(st, path.buf, 3) < 0))
		return err_sys(e, "cannot write %s", path.buf);
	return 0;
}

/*
 * A link with another digest than its directory's may be replaced, so it is compared in each round. Returns 1 if the copy has
 * the same; else 0, and the copy's link is removed.
 */
static int is_copied(const struct repo_copy *c, const struct digest *d, const struct digest *target, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct digest there;
	int found;

	copy_path(&path, c, d);
	found = link_read_in(c->st, path.buf, &there, e);
	if (found < 0 || (found == 1 && digest_eq(&there, target)))
		return found;
	return os_remove_tree(c->st->dirfd, path.buf) < 0 ? err_sys(e, "cannot remove %s", path.buf) : 0;
}

static int copy_link(void *arg, const struct digest *d, struct err *e)
{
	struct repo_copy *c = arg;
	struct digest target;
	int found;

	digestset_add(&c->now, d);
	if (digestset_has(&c->have, d))
		return 0;
	found = blob_read_link(c->st, c->from, d, &target, e);
	if (found <= 0)
		return found;
	if (digest_eq(d, &target))
		digestset_add(&c->have, d);
	else if ((found = is_copied(c, d, &target, e)) != 0)
		return found < 0 ? -1 : 0;
	if (put(c, d, &target, e) < 0)
		return -1;
	c->added++;
	return 0;
}

static int copy_all(struct repo_copy *c, struct err *e)
{
	c->added = 0;
	digestset_release(&c->now);
	return blob_walk_links(c->st, c->from, copy_link, c, e);
}

int repo_copy_begin(struct repo_copy *c, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	unsigned round = 0;

	store_tmp(c->st, &c->dir);
	str_addf(&path, "%s/%s", c->dir.buf, digest_alg_name(DIGEST_SHA256));
	if (os_mkdirs(c->st->dirfd, path.buf) < 0)
		return err_sys(e, "cannot make %s", path.buf);
	do {
		if (copy_all(c, e) < 0)
			return -1;
		if (store_flush_all(c->st) < 0)
			return err_sys(e, "cannot flush %s", c->dir.buf);
	} while (c->added > FEW && ++round < ROUNDS);
	return 0;
}

/* Removes a link from the copy that was deleted since it was copied. */
static int drop_deleted(void *arg, const struct digest *d, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct repo_copy *c = arg;

	if (digestset_has(&c->now, d))
		return 0;
	copy_path(&path, c, d);
	return os_remove_tree(c->st->dirfd, path.buf) < 0 ? err_sys(e, "cannot remove %s", path.buf) : 0;
}

/* Makes the removals from the copy durable. */
static int flush_copy(struct repo_copy *c, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int alg;

	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		str_reset(&dir);
		str_addf(&dir, "%s/%s", c->dir.buf, digest_alg_name((enum digest_alg)alg));
		if (store_flush_dir(c->st, dir.buf) < 0 && !os_gone(errno))
			return err_sys(e, "cannot flush %s", dir.buf);
	}
	return 0;
}

static int walk_copy(struct repo_copy *c, digest_visit *visit, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int alg, rc = 0;

	for (alg = 0; rc == 0 && alg < DIGEST_ALG_COUNT; alg++) {
		str_reset(&dir);
		str_addf(&dir, "%s/%s", c->dir.buf, digest_alg_name((enum digest_alg)alg));
		rc = walk_digests(c->st, dir.buf, (enum digest_alg)alg, visit, c, e);
	}
	return rc;
}

static int merge_link(void *arg, const struct digest *d, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT, dir = STR_INIT;
	struct repo_copy *c = arg;
	struct digest target, there;
	int found;

	copy_path(&tmp, c, d);
	path_layer(&dir, c->to, d);
	found = link_read_in(c->st, dir.buf, &there, e);
	if (found == 0) {
		found = link_read_in(c->st, tmp.buf, &target, e);
		return found <= 0 ? found : link_publish(c->st, tmp.buf, dir.buf, &target, e);
	}
	return found < 0 ? -1 : 0;
}

/* `to` has layer links already, from an earlier call that was killed, or from an incomplete push to another registry. */
static int merge(struct repo_copy *c, struct err *e)
{
	return walk_copy(c, merge_link, e) < 0 ? -1 : blob_flush_links(c->st, c->to, e);
}

/* Publishes the copy, by one rename as a rule: 1; if the directory existed, link by link: 0; -1 with *e. */
static int place_links(struct repo_copy *c, const char *layers, struct err *e)
{
	cleanup_str struct str manifests = STR_INIT;
	int whole;

	path_manifests(&manifests, c->to);
	if (os_mkdirs(c->st->dirfd, manifests.buf) < 0)
		return err_sys(e, "cannot make %s", manifests.buf);
	whole = os_renameat(c->st->dirfd, c->dir.buf, c->st->dirfd, layers) == 0;
	if (!whole && errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(e, "cannot make %s", layers);
	if (!whole && merge(c, e) < 0)
		return -1;
	if (store_flush_dir(c->st, layers) < 0 || store_flush_above(c->st, layers, 1 + path_repository_above(c->to)) < 0)
		return err_sys(e, "cannot flush the directories of %s", layers);
	return whole;
}

/* From this rename on the repository has its new name. */
static int move_manifests(struct repo_copy *c, struct err *e)
{
	cleanup_str struct str old = STR_INIT, new = STR_INIT;

	path_manifests(&old, c->from);
	path_manifests(&new, c->to);
	if (os_renameat(c->st->dirfd, old.buf, c->st->dirfd, new.buf) < 0) {
		if (errno != ENOENT)
			return err_sys(e, "cannot move %s to %s", old.buf, new.buf);
		path_tags(&new, c->to);         /* no manifests: 2.8 creates the directory with the first one */
		if (os_mkdirs(c->st->dirfd, new.buf) < 0)
			return err_sys(e, "cannot make %s", new.buf);
		path_manifests(&new, c->to);
	}
	if (store_flush_above(c->st, new.buf, 1) < 0 || store_flush_above(c->st, old.buf, 1) < 0)
		return err_sys(e, "cannot flush the directories of %s and %s", old.buf, new.buf);
	return 0;
}

/* Removes the published links, unless the manifests have moved after all. */
static void undo(struct repo_copy *c, const char *layers)
{
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_str struct str taken = STR_INIT, path = STR_INIT;

	path_repository(&path, c->to);
	if (repo_has_manifests(c->st, c->to, &ignored) != 0)
		return;
	if (store_trash(c->st, layers, &taken, &ignored) == 1)
		store_purge(c->st, taken.buf);
	path_manifests(&path, c->to);
	os_unlinkat(c->st->dirfd, path.buf, AT_REMOVEDIR);
	repo_prune(c->st, c->to);
}

int repo_copy_place(struct repo_copy *c, struct err *e)
{
	cleanup_str struct str layers = STR_INIT;
	int whole;

	c->last = true;
	if (copy_all(c, e) < 0 || walk_copy(c, drop_deleted, e) < 0 || flush_copy(c, e) < 0)
		return -1;
	path_layers_dir(&layers, c->to);
	whole = place_links(c, layers.buf, e);
	if (whole < 0)
		return -1;
	if (move_manifests(c, e) == 0)
		return 0;
	if (whole)
		undo(c, layers.buf);
	return -1;
}

void repo_copy_end(struct repo_copy *c)
{
	if (c->dir.len)
		os_remove_tree(c->st->dirfd, c->dir.buf);
	str_release(&c->dir);
	digestset_release(&c->have);
	digestset_release(&c->now);
}

int repo_has_manifests(struct store *st, const struct name *n, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	path_manifests(&path, n);
	if (os_dir_list(st->dirfd, path.buf, DIR_ALL, &all) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", path.buf);
	return all.count > 0;
}

struct pair {
	struct store *st;
	const struct name *to;
};

/* Whether `to` lacks this link: 1, 0, -1 with *e. */
static int is_missing(void *arg, const struct digest *d, struct err *e)
{
	struct pair *p = arg;
	struct digest target;
	int found = blob_read_link(p->st, p->to, d, &target, e);

	return found < 0 ? -1 : !found;
}

int repo_is_copied(struct store *st, const struct name *from, const struct name *to, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	struct pair p = { st, to };
	int rc;

	path_manifests(&path, from);
	fd = os_open(st->dirfd, path.buf, O_PATH, 0);
	if (fd >= 0)
		return 0;
	if (!os_gone(errno))
		return err_sys(e, "cannot look for %s", path.buf);
	rc = blob_walk_links(st, from, is_missing, &p, e);
	return rc < 0 ? -1 : !rc;
}
