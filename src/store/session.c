/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: the key and the ended sessions on disk.
 *
 * Owns berth/sessions/. Invariant: what says that a session has ended is removed only when its cookie is not accepted any more, or when
 * something else says it too. Knows neither cookies nor passwords.
 */
#include "store/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/store_path.h"

#define EXPIRES_DIGITS 10               /* until the year 2286 */
#define LATE 3600                       /* seconds: the clock of another machine may be behind */
#define KEY_WAIT_MS 5000                /* for another worker that replaces the key */

/* Where the sessions of a user are that have ended; "1764529871-UUID" each, in the order of their ends. */
static void dir_of(const struct digest *user, struct str *out)
{
	path_in(out, STORE_ENDED_DIR, digest_hex(user));
}

/* The times below it: "1764529871" says that all sessions which expire then or before have ended. */
static void times_of(const struct digest *user, struct str *out)
{
	dir_of(user, out);
	str_puts(out, "/" STORE_ENDED_ALL);
}

static void path_of(const struct session *s, struct str *out)
{
	dir_of(&s->user, out);
	str_addf(out, "/%0*llu-%s", EXPIRES_DIGITS, (unsigned long long)s->expires, s->id.s);
}

bool session_name_ok(const char *name)
{
	size_t len = strlen(name), id = EXPIRES_DIGITS + 1;
	struct uuid uuid;

	return len > id && strspn(name, "0123456789") == EXPIRES_DIGITS && name[id - 1] == '-' && uuid_parse(&uuid, name + id, len - id) == 0;
}

bool session_time_ok(const char *name)
{
	return strlen(name) == EXPIRES_DIGITS && strspn(name, "0123456789") == EXPIRES_DIGITS;
}

/* 1; 0 if there is none, or something that berth has not written; -1 with *e. */
static int read_key(struct store *st, unsigned char key[SESSION_KEY_LEN], struct err *e)
{
	ssize_t n = os_read_file(st->dirfd, STORE_SESSION_KEY_FILE, key, SESSION_KEY_LEN);

	if (n >= 0)
		return n == SESSION_KEY_LEN;
	return os_gone(errno) ? 0 : err_sys(e, "cannot read %s", STORE_SESSION_KEY_FILE);
}

/*
 * A secret: nobody else may read it, not even before it has its name. It is flushed whatever `fsync` says: a store whose key had lost its
 * bytes would end all sessions.
 */
static int write_key(struct store *st, const char *path)
{
	cleanup_fd int fd = os_open(st->dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	unsigned char key[SESSION_KEY_LEN];
	int rc;

	if (fd < 0)
		return -1;
	os_random(key, sizeof(key));
	rc = os_write_full(fd, key, sizeof(key)) < 0 ? -1 : os_fsync(fd);
	explicit_bzero(key, sizeof(key));
	return rc;
}

/* A key of a wrong length is replaced. Of several workers that find it one does, as they lock that file, and the others find another one. */
static int replace_key(struct store *st, const char *tmp)
{
	cleanup_fd int fd = os_open_file(st->dirfd, STORE_SESSION_KEY_FILE, O_RDWR, 0);
	struct stat locked, now;

	if (fd >= 0 && (os_lock(fd, true, KEY_WAIT_MS, NULL) < 0 || os_fstat(fd, &locked) < 0))
		return -1;
	if (fd >= 0 && (os_fstatat(st->dirfd, STORE_SESSION_KEY_FILE, &now, AT_SYMLINK_NOFOLLOW) < 0 || now.st_ino != locked.st_ino ||
			now.st_dev != locked.st_dev || locked.st_size == SESSION_KEY_LEN))
		return 0;
	return os_renameat(st->dirfd, tmp, st->dirfd, STORE_SESSION_KEY_FILE);
}

/* A complete file gets the name, and the first one keeps it. */
static int make_key(struct store *st, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT;
	int rc;

	if (os_mkdirs(st->dirfd, STORE_SESSIONS_DIR) < 0)
		return err_sys(e, "cannot make %s", STORE_SESSIONS_DIR);
	store_tmp(st, &tmp);
	rc = write_key(st, tmp.buf);
	/* A network file system may say that the name exists after it has made it: either way the file is read afterwards. */
	if (rc == 0 && os_linkat(st->dirfd, tmp.buf, st->dirfd, STORE_SESSION_KEY_FILE, 0) < 0)
		rc = errno == EEXIST ? replace_key(st, tmp.buf) : -1;
	if (rc < 0)
		err_sys(e, "cannot create %s", STORE_SESSION_KEY_FILE);
	os_unlinkat(st->dirfd, tmp.buf, 0);
	if (rc == 0 && os_fsync_above(st->dirfd, STORE_SESSION_KEY_FILE, 2) < 0)
		rc = err_sys(e, "cannot flush %s", STORE_SESSIONS_DIR);
	return rc < 0 ? -1 : 0;
}

bool session_possible(const struct store *st)
{
	return os_faccessat(st->dirfd, STORE_BERTH_DIR, W_OK, AT_EACCESS) == 0;
}

int session_key(struct store *st, bool make, unsigned char key[SESSION_KEY_LEN], struct err *e)
{
	int found = read_key(st, key, e);

	if (found != 0 || !make || !session_possible(st))
		return found;
	return make_key(st, e) < 0 ? -1 : read_key(st, key, e);
}

/* What is left in a directory. */
struct left {
	size_t count;
	uint64_t latest;        /* of the times that its names begin with */
};

/* Remove what expires before a time, 0 nothing, and see what is left. What has another name stays: fsck names it. */
static int tidy_dir(struct store *st, const char *dir, bool (*name_ok)(const char *name), uint64_t before, struct left *left, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	*left = (struct left){ 0 };
	if (os_dir_list(st->dirfd, dir, DIR_ALL, &names) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", dir);
	for (size_t i = 0; i < names.count; i++) {
		uint64_t expires;

		if (!name_ok(names.v[i]) || str_parse_u64(names.v[i], EXPIRES_DIGITS, &expires) < 0)
			continue;
		if (expires >= before) {
			left->count++;
			left->latest = expires > left->latest ? expires : left->latest;
			continue;
		}
		path_in(&path, dir, names.v[i]);
		if (os_unlinkat(st->dirfd, path.buf, 0) < 0 && !os_gone(errno))
			return err_sys(e, "cannot remove %s", path.buf);
	}
	return 0;
}

static int create(struct store *st, const char *path, unsigned above, struct err *e)
{
	return store_touch(st, path) < 0 || store_flush_above(st, path, above) < 0 ? err_sys(e, "cannot create %s", path) : 0;
}

static uint64_t forgotten_at(uint64_t now)
{
	return now > LATE ? now - LATE : 0;
}

int session_all_ended(struct store *st, const struct digest *user, uint64_t *expires, struct err *e)
{
	cleanup_str struct str times = STR_INIT;
	struct left left;
	int rc;

	times_of(user, &times);
	rc = tidy_dir(st, times.buf, session_time_ok, 0, &left, e);
	*expires = left.latest;
	return rc;
}

/*
 * Many of one user become one, which ends what expires no later, too. The new one is durable before anything else goes, and the one before
 * it stays, so that whoever lists them meanwhile sees one of the two.
 */
static int bound(struct store *st, const struct digest *user, uint64_t now, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, times = STR_INIT, path = STR_INIT;
	struct left left, ignored;
	uint64_t before;

	dir_of(user, &dir);
	if (tidy_dir(st, dir.buf, session_name_ok, forgotten_at(now), &left, e) < 0)
		return -1;
	if (left.count <= SESSION_ENDED_MAX)
		return 0;
	if (session_all_ended(st, user, &before, e) < 0)
		return -1;
	times_of(user, &times);
	str_addf(&path, "%s/%0*llu", times.buf, EXPIRES_DIGITS, (unsigned long long)left.latest);
	if (create(st, path.buf, 5, e) < 0 || tidy_dir(st, dir.buf, session_name_ok, left.latest + 1, &ignored, e) < 0)
		return -1;
	return tidy_dir(st, times.buf, session_time_ok, before, &ignored, e);
}

int session_end(struct store *st, const struct session *s, uint64_t now, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_of(s, &path);
	return create(st, path.buf, 4, e) < 0 ? -1 : bound(st, &s->user, now, e);
}

int session_has_ended(struct store *st, const struct session *s, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;
	uint64_t all;

	path_of(s, &path);
	if (os_fstatat(st->dirfd, path.buf, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (!os_gone(errno))
		return err_sys(e, "cannot look for %s", path.buf);
	/* In this order: what is one by one goes after what is said of all. */
	return session_all_ended(st, &s->user, &all, e) < 0 ? -1 : s->expires <= all;
}

int session_tidy(struct store *st, uint64_t now, struct err *e)
{
	cleanup_names struct names users = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT, times = STR_INIT;
	struct digest user;
	struct left ignored;

	if (os_dir_list(st->dirfd, STORE_ENDED_DIR, DIR_ALL, &users) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", STORE_ENDED_DIR);
	for (size_t i = 0; i < users.count; i++) {
		if (digest_of_hex(&user, DIGEST_SHA256, users.v[i], strlen(users.v[i])) < 0)
			continue;
		dir_of(&user, &dir);
		times_of(&user, &times);
		if (tidy_dir(st, dir.buf, session_name_ok, forgotten_at(now), &ignored, e) < 0 ||
		    tidy_dir(st, times.buf, session_time_ok, forgotten_at(now), &ignored, e) < 0)
			return -1;
		/* Only empty ones go, and whoever makes a file makes them again. */
		if (os_unlinkat(st->dirfd, times.buf, AT_REMOVEDIR) == 0 || os_gone(errno))
			os_unlinkat(st->dirfd, dir.buf, AT_REMOVEDIR);
	}
	return 0;
}
