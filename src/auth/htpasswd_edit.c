/* SPDX-License-Identifier: Apache-2.0 */
/*
 * htpasswd_edit: replacing a password file.
 *
 * Owns FILE.lock and FILE.new. Knows lines and users, no hashes.
 */
#include "auth/htpasswd_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/htpasswd_file.h"
#include "auth/watched.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/lock.h"

#define LOCK_MS 10000

/* Copy the lines with the change; whether the user had a line. */
static bool change_lines(const struct str *old, const char *user, const char *hash, struct str *out)
{
	const char *p = old->buf, *end = old->buf + old->len;
	size_t len = strlen(user);
	bool had = false;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *next = nl ? nl + 1 : end;

		if ((size_t)(next - p) <= len || memcmp(p, user, len) != 0 || p[len] != ':') {
			str_add(out, p, (size_t)(next - p));
		} else {
			if (hash && !had)
				str_addf(out, "%s:%s\n", user, hash);
			had = true;
		}
		p = next;
	}
	return had;
}

/* The directory of an absolute path. */
static int flush_dir(const char *file)
{
	const char *slash = strrchr(file, '/');
	cleanup_free char *dir = slash > file ? xstrndup(file, (size_t)(slash - file)) : xstrdup("/");

	return os_fsync_dir(AT_FDCWD, dir);
}

static int write_new(const char *file, const char *tmp, const struct str *text, const struct stat *st,
		     const struct htpasswd_owner *owner, struct err *e)
{
	cleanup_fd int fd = -1;

	unlink(tmp);            /* left by a killed process: we hold the lock */
	fd = os_open(AT_FDCWD, tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return err_sys(e, "cannot create %s", tmp);
	if (os_write_full(fd, text->buf, text->len) < 0 ||
	    (owner->uid != (uid_t)-1 && fchown(fd, owner->uid, owner->gid) < 0) ||
	    fchmod(fd, st->st_mode & 07777) < 0 || os_fsync(fd) < 0) {
		err_sys(e, "cannot write %s", tmp);
		goto out;
	}
	if (rename(tmp, file) < 0) {
		err_sys(e, "cannot replace %s", file);
		goto out;
	}
	return flush_dir(file) < 0 ? err_sys(e, "cannot flush the directory of %s", file) : 0;
out:
	unlink(tmp);
	return -1;
}

/* Under the lock. */
static int edit(const char *file, enum htpasswd_change change, const char *user, const char *hash,
		const struct htpasswd_owner *owner, struct err *e)
{
	cleanup_str struct str old = STR_INIT, text = STR_INIT, tmp = STR_INIT, why = STR_INIT;
	struct htpasswd_owner same = *owner;
	struct stat st;
	bool had;

	if (watched_read(file, HTPASSWD_FILE_MAX_MIB, &st, &old, &why) == 0)
		same = (struct htpasswd_owner){ st.st_uid, st.st_gid };
	else if (errno == ENOENT)
		st.st_mode = 0600;
	else
		return err_sys(e, "cannot change %s", file);
	had = change_lines(&old, user, change == HTPASSWD_REMOVE ? NULL : hash, &text);
	if (had == (change == HTPASSWD_ADD))
		return 0;
	if (change == HTPASSWD_ADD) {
		if (text.len && text.buf[text.len - 1] != '\n')
			str_addc(&text, '\n');
		str_addf(&text, "%s:%s\n", user, hash);
	}
	str_addf(&tmp, "%s.new", file);
	return write_new(file, tmp.buf, &text, &st, &same, e) < 0 ? -1 : 1;
}

int htpasswd_edit(const char *file, enum htpasswd_change change, const char *user, const char *hash,
		  const struct htpasswd_owner *owner, struct err *e)
{
	cleanup_free char *real = realpath(file, NULL);         /* replace the target of a symbolic link, not the link */
	cleanup_str struct str lock = STR_INIT;
	cleanup_fd int fd = -1;

	if (real)
		file = real;
	str_addf(&lock, "%s.lock", file);
	fd = os_open(AT_FDCWD, lock.buf, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || os_lock(fd, true, LOCK_MS, NULL) < 0)
		return err_sys(e, "cannot lock %s", lock.buf);
	return edit(file, change, user, hash, owner, e);
}
