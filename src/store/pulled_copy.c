/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pulled_copy: the last pulls of a repository that gets another name.
 *
 * Owns no state. What is noted under the old name stays there until a collection removes it: a process may rely on having noted it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "os/dir.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/pulled.h"
#include "store/store_path.h"

/* One note, with its time. */
static int copy_one(struct store *st, const char *from, const char *to)
{
	cleanup_fd int fd = -1;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat sb;

	if (os_fstatat(st->dirfd, from, &sb, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(sb.st_mode))
		return 0;
	times[1] = sb.st_mtim;
	fd = os_open_file(st->dirfd, to, O_WRONLY | O_CREAT, 0666);
	return fd < 0 ? -1 : futimens(fd, times);
}

static int copy_notes(struct store *st, const char *from, const char *to, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str one = STR_INIT, other = STR_INIT;

	if (os_dir_list(st->dirfd, from, DIR_ALL, &all) < 0)
		return os_gone(errno) || errno == ENOTDIR ? 0 : err_sys(e, "cannot list %s", from);
	if (all.count && os_mkdirs(st->dirfd, to) < 0)
		return err_sys(e, "cannot make %s", to);
	for (size_t i = 0; i < all.count; i++) {
		path_in(&one, from, all.v[i]);
		path_in(&other, to, all.v[i]);
		if (copy_one(st, one.buf, other.buf) < 0)
			return err_sys(e, "cannot copy %s", one.buf);
	}
	return 0;
}

int pulled_copy(struct store *st, const struct name *from, const struct name *to, struct err *e)
{
	cleanup_str struct str one = STR_INIT, other = STR_INIT;

	path_pulled_tags(&one, from);
	path_pulled_tags(&other, to);
	if (copy_notes(st, one.buf, other.buf, e) < 0)
		return -1;
	for (int alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		path_pulled_digests(&one, from, (enum digest_alg)alg);
		path_pulled_digests(&other, to, (enum digest_alg)alg);
		if (copy_notes(st, one.buf, other.buf, e) < 0)
			return -1;
	}
	return 0;
}
