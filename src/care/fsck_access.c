/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_access: what the user of the registry cannot read or write, in the whole store: a restored backup may have left files to
 * another user, whom nothing of berth needs until a push meets them.
 *
 * Looks at every name once. Does not follow symbolic links below blobs/, repositories/ and berth/.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "care/fsck_work.h"
#include "os/again.h"
#include "store/store_path.h"

/* The owner's mode says it for most files, without another system call. */
static bool is_own(const struct stat *sb)
{
	mode_t need = S_ISDIR(sb->st_mode) ? S_IRWXU : S_IRUSR;

	return sb->st_uid == geteuid() && (sb->st_mode & need) == need;
}

static bool can(struct fsck_work *w, const char *path, int what)
{
	return os_faccessat(w->r->st->dirfd, path, what, AT_EACCESS) == 0 || errno != EACCES;
}

/* Whether it can be entered. */
static bool check(struct fsck_work *w, const char *path, const struct stat *sb)
{
	bool dir = S_ISDIR(sb->st_mode), readable;
	struct fsck_fault f = { .kind = FSCK_DENIED, .where = path };

	if (is_own(sb) || S_ISLNK(sb->st_mode))
		return dir;
	readable = can(w, path, dir ? R_OK | X_OK : R_OK);
	if (!readable)
		f.kind = FSCK_UNREADABLE;
	/* The mode of the user's own files is the user's choice: nothing of berth writes to content or a link. */
	else if (w->r->cfg->readonly || (!dir && sb->st_uid == geteuid()) || can(w, path, W_OK))
		return dir;
	fsck_report(w, &f, "belongs to %u:%u, mode %o: uid %u cannot %s it", (unsigned)sb->st_uid, (unsigned)sb->st_gid,
		    (unsigned)sb->st_mode & 07777, (unsigned)geteuid(), readable ? "write" : "read");
	return dir && readable;
}

static int walk(struct fsck_work *w, struct str *path, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t len = path->len, i;
	struct stat sb;
	int rc = 0;

	if (os_dir_list(w->r->st->dirfd, path->buf, DIR_ALL, &names) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		err_sys(e, "cannot read %s", path->buf);
		return fsck_unreadable(w, e);
	}
	for (i = 0; rc == 0 && i < names.count; i++) {
		str_addf(path, "/%s", names.v[i]);
		if (os_fstatat(w->r->st->dirfd, path->buf, &sb, AT_SYMLINK_NOFOLLOW) == 0 && check(w, path->buf, &sb))
			rc = walk(w, path, e);
		path->len = len;
		path->buf[len] = '\0';
	}
	return rc;
}

int fsck_access(struct fsck_work *w, struct err *e)
{
	static const char *const tops[] = { STORE_BLOBS_DIR, STORE_REPOSITORIES_DIR, STORE_BERTH_DIR };
	size_t i;

	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		cleanup_str struct str path = STR_INIT;
		struct stat sb;

		str_puts(&path, tops[i]);
		if (os_fstatat(w->r->st->dirfd, path.buf, &sb, 0) == 0 && check(w, path.buf, &sb) && walk(w, &path, e) < 0)
			return -1;
	}
	return 0;
}
