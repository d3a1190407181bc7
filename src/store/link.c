/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: reading link files, and publishing directories that hold one.
 *
 * Invariant: a directory that this module publishes holds its link, complete and flushed, from the moment it has its name.
 * So one flush of the directory above makes every link in it durable.
 */
#include "store/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/store_path.h"

/*
 * How much to read of a link at first. A network file system is asked for the length again by who reads beyond it, so as much as opening the file
 * has told that there is.
 */
static size_t first_bytes(const struct store *st, int fd, size_t most)
{
	struct os_entry entry;

	return st->distant && os_entry(fd, "", &entry) == 0 && entry.size && entry.size < most ? (size_t)entry.size : most;
}

/* The digest in an open link file: 1, 0 if it holds none, -1 with errno. One read is enough as a rule. */
static int read_digest(const struct store *st, int fd, struct digest *out)
{
	char text[DIGEST_TEXT_MAX + 1];
	size_t first = first_bytes(st, fd, sizeof(text));
	ssize_t n, more;

	do
		n = read(fd, text, first);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EISDIR || errno == EAGAIN ? 0 : -1;     /* a directory, or a FIFO with a writer */
	if (digest_parse(out, text, (size_t)n) == 0)
		return 1;
	more = os_read_full(fd, text + n, sizeof(text) - (size_t)n);
	return more < 0 && errno != EAGAIN ? -1 : more >= 0 && digest_parse(out, text, (size_t)(n + more)) == 0;
}

/* As link_read; the descriptor is the caller's, whatever the result. */
static int read_open(struct store *st, const char *path, int *fd, struct digest *out, struct err *e)
{
	unsigned tries = 0;
	int found;

	*out = (struct digest){ 0 };
	*fd = -1;
	do {
		os_cleanup_fd(fd);
		*fd = os_open_file(st->dirfd, path, O_RDONLY, 0);
		found = *fd < 0 ? -1 : read_digest(st, *fd, out);
	} while (found < 0 && os_again(errno, &tries));
	if (found < 0 && (os_gone(errno) || errno == EUCLEAN))
		return 0;
	return found < 0 ? err_sys(e, "cannot read %s", path) : found;
}

int link_read(struct store *st, const char *path, struct digest *out, struct err *e)
{
	cleanup_fd int fd = -1;

	return read_open(st, path, &fd, out, e);
}

int link_pin(struct store *st, const char *dir, struct digest *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	struct stat sb;
	int found;

	path_in(&path, dir, STORE_LINK);
	found = read_open(st, path.buf, &fd, out, e);
	if (found == 1 && os_fstat(fd, &sb) == 0)
		store_refresh(fd, &sb);
	return found;
}

int link_read_in(struct store *st, const char *dir, struct digest *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_in(&path, dir, STORE_LINK);
	return link_read(st, path.buf, out, e);
}

/* A link of the right length can be believed without reading it: of sha256 berth makes none that leads elsewhere. */
static int found_link(struct store *st, const char *path, uint64_t size, const struct digest *called, struct digest *target, struct err *e)
{
	if (called->alg != DIGEST_SHA256 || size != strlen(called->text))
		return link_read(st, path, target, e);
	*target = *called;
	return 1;
}

int link_find(struct store *st, const char *dir, const struct digest *called, struct digest *target, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct os_entry entry;

	*target = (struct digest){ 0 };
	path_in(&path, dir, STORE_LINK);
	if (os_entry(st->dirfd, path.buf, &entry) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
	return found_link(st, path.buf, entry.size, called, target, e);
}

int link_age(struct store *st, const char *dir, const struct digest *called, int64_t *when, struct digest *target,
	     struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	uint64_t size;

	*target = (struct digest){ 0 };
	path_in(&path, dir, STORE_LINK);
	if (os_age(st->dirfd, path.buf, when, &size) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
	return found_link(st, path.buf, size, called, target, e);
}

void link_touch(struct store *st, const char *dir)
{
	cleanup_str struct str path = STR_INIT;

	path_in(&path, dir, STORE_LINK);
	os_utimensat(st->dirfd, path.buf, NULL, AT_SYMLINK_NOFOLLOW);
}

int link_prepare(struct store *st, const struct digest *target, struct str *tmp, struct err *e)
{
	cleanup_str struct str file = STR_INIT;

	store_tmp(st, tmp);
	if (os_mkdir_once(st->dirfd, tmp->buf) < 0)     /* as in store_make(): nobody else gives this name */
		return err_sys(e, "cannot make %s", tmp->buf);
	path_in(&file, tmp->buf, STORE_LINK);
	if (store_write(st, file.buf, target->text, strlen(target->text), true) < 0) {
		err_sys(e, "cannot write %s", file.buf);
		goto fail;
	}
	if (store_flush_new(st, tmp->buf) < 0) {
		err_sys(e, "cannot flush %s", tmp->buf);
		goto fail;
	}
	return 0;
fail:
	os_remove_tree(st->dirfd, tmp->buf);
	return -1;
}

/* The process that put this link into a corrupt directory may have died before it flushed that. */
static int keep(struct store *st, const char *dir, struct err *e)
{
	link_touch(st, dir);
	return store_flush_new(st, dir) < 0 && !os_gone(errno) ? err_sys(e, "cannot flush %s", dir) : 0;
}

/*
 * The directory exists: if its link is corrupt after a crash, the two directories are exchanged. Then the change is one of the
 * directory above, which whoever relies on the link flushes: this process may die before it does. A file system that
 * cannot exchange (NFS) gets the link alone. 1 done, 0 the directory was deleted meanwhile, -1 with *e.
 */
static int publish_into(struct store *st, const char *tmp, const char *dir, const struct digest *target, struct err *e)
{
	cleanup_str struct str from = STR_INIT, to = STR_INIT;
	struct digest old;
	int found = link_read_in(st, dir, &old, e);

	if (found < 0)
		return -1;
	if (found && digest_eq(&old, target))
		return keep(st, dir, e) < 0 ? -1 : 1;
	if (os_renameat2(st->dirfd, tmp, st->dirfd, dir, RENAME_EXCHANGE) == 0) {
		/* Before the caller removes what is in the old one. */
		if (!st->ordered && store_flush_above(st, dir, 1) < 0)
			return err_sys(e, "cannot flush the directory of %s", dir);
		return 1;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return errno == ENOENT ? 0 : err_sys(e, "cannot replace %s", dir);
	path_in(&from, tmp, STORE_LINK);
	path_in(&to, dir, STORE_LINK);
	if (os_renameat(st->dirfd, from.buf, st->dirfd, to.buf) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot replace %s", to.buf);
	if (store_flush_new(st, dir) < 0 && errno != ENOENT)   /* ENOENT: published, and deleted since */
		return err_sys(e, "cannot flush %s", dir);
	return 1;
}

static int make_above(struct store *st, const char *dir)
{
	cleanup_str struct str above = STR_INIT;

	str_add(&above, dir, (size_t)(strrchr(dir, '/') - dir));
	return os_mkdirs(st->dirfd, above.buf);
}

int link_publish(struct store *st, const char *tmp, const char *dir, const struct digest *target, struct err *e)
{
	int tries, rc = -1;

	/* The second try follows when directories were created, the third when an empty one was removed meanwhile. */
	for (tries = 0; tries < 3; tries++) {
		if (os_renameat(st->dirfd, tmp, st->dirfd, dir) == 0)
			return 0;
		if (errno == EEXIST || errno == ENOTEMPTY) {
			int done = publish_into(st, tmp, dir, target, e);

			rc = done == 1 ? 0 : -1;
			if (done != 0)
				goto out;
			errno = ENOENT;
			continue;
		}
		if (errno != ENOENT || make_above(st, dir) < 0)
			break;
	}
	err_sys(e, "cannot publish %s", dir);
out:	/* the temporary directory, unless it became the published one */
	os_remove_tree(st->dirfd, tmp);
	return rc;
}

int link_ensure(struct store *st, const char *dir, const struct digest *target, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT;
	struct digest old;
	int found = link_read_in(st, dir, &old, e);

	if (found < 0)
		return -1;
	if (found && digest_eq(&old, target))
		return keep(st, dir, e);
	if (link_prepare(st, target, &tmp, e) < 0)
		return -1;
	return link_publish(st, tmp.buf, dir, target, e);
}
