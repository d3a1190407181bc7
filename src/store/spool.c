/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool: bodies as files.
 *
 * Owns the names that spool_make creates below berth/tmp/, and none in berth/body/. Knows nothing of FastCGI.
 */
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "store/store_path.h"

#define HASH_BUFFER (256 * 1024)
#define WORTH_BEGINNING (1024 * 1024)   /* bytes: fewer are hashed before the disk has begun */

int spool_open(struct spool *sp, struct store *st, const char *file, struct err *e)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	struct stat sb;

	sp->st = st;
	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return err_set(e, ERR_UNKNOWN, "the spooled body has no name");
	str_reset(&sp->path);
	str_addf(&sp->path, STORE_BODY_DIR "/%s", base);
	/* The client of a network file system may flush only what is open for writing: MooseFS's does. */
	sp->fd = os_open_look(st->dirfd, sp->path.buf, st->local ? O_RDONLY : O_RDWR, &sb);
	if (sp->fd < 0 && errno == EACCES)
		return err_sys(e, "nginx and berth run as two users, so the body %s can't be read; let both be one", sp->path.buf);
	if (sp->fd < 0)
		return err_sys(e, "cannot open the spooled body %s", sp->path.buf);
	if (!S_ISREG(sb.st_mode))
		return err_set(e, ERR_UNKNOWN, "the spooled body is not a file");
	sp->size = (uint64_t)sb.st_size;
	/* What the web server has written is not in reach of a flush there: see show() in upload.c. */
	if (st->by_length && ftruncate(sp->fd, sb.st_size) < 0)
		return err_sys(e, "cannot show the spooled body %s to other machines", sp->path.buf);
	return 0;
}

int spool_make(struct spool *sp, struct store *st, struct err *e)
{
	sp->st = st;
	store_tmp(st, &sp->path);
	sp->fd = store_make(st, sp->path.buf, O_RDWR);
	if (sp->fd < 0)
		return err_sys(e, "cannot make %s", sp->path.buf);
	sp->own = true;
	sp->size = 0;
	return 0;
}

void spool_release(struct spool *sp)
{
	if (sp->own)
		os_unlinkat(sp->st->dirfd, sp->path.buf, 0);
	os_cleanup_fd(&sp->fd);
	str_release(&sp->path);
	sp->own = false;
	sp->size = 0;
}

int spool_hash_fd(int fd, bool flush, enum digest_alg alg, struct digest *out, struct err *e)
{
	static unsigned char buf[HASH_BUFFER];
	cleanup_digester struct digester *h = digester_open(alg);
	off_t at = 0;

	*out = (struct digest){ 0 };
	if (flush && lseek(fd, 0, SEEK_END) >= WORTH_BEGINNING)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);       /* a hint; fsync reports errors */
	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read the body");
		if (n == 0)
			break;
		digester_add(h, buf, (size_t)n);
		at += n;
	}
	digester_finish(h, out);
	return 0;
}

int spool_verify(struct store *st, int fd, const struct digest *d, struct err *e)
{
	struct digest is;
	struct stat sb;

	if (spool_hash_fd(fd, st->flush, d->alg, &is, e) < 0)
		return -1;
	if (!digest_eq(&is, d))
		return err_set(e, ERR_DIGEST_INVALID, "%s", d->text);
	/* With a second name it is content already, whose mode says something (store/alone.h): it was handed over before. */
	if (os_fstat(fd, &sb) < 0 || (sb.st_nlink <= 1 && fchmod(fd, st->file_mode) < 0))
		return err_sys(e, "cannot set the mode of a blob");
	/* Another machine has to see what was acknowledged, also where nothing is flushed for the sake of power cuts. */
	if (store_flush_fd(st, fd) < 0 || (!st->local && !st->flush && os_fsync(fd) < 0))
		return err_sys(e, "cannot flush a blob");
	return 0;
}
