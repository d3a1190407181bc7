/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: the key and the ended sessions on disk.
 *
 * Owns berth/sessions/. Invariant: a file of an ended session is removed only when no cookie of it is accepted any more. Knows neither
 * cookies nor passwords.
 */
#include "store/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/tree.h"
#include "store/store_path.h"

#define EXPIRES_DIGITS 10               /* until the year 2286 */
#define USER_DIGITS 16                  /* of the SHA-256 */
#define LATE 3600                       /* seconds: the clock of another machine may be behind */

/* "1764529871-0123456789abcdef-UUID", in the order of their ends. */
static void name_of(const struct session *s, struct str *out)
{
	str_addf(out, "%0*llu-%.*s-%s", EXPIRES_DIGITS, (unsigned long long)s->expires, USER_DIGITS, digest_hex(&s->user), s->id.s);
}

bool session_name_ok(const char *name)
{
	size_t len = strlen(name), user = EXPIRES_DIGITS + 1, id = user + USER_DIGITS + 1;
	struct uuid uuid;

	return len > id && strspn(name, "0123456789") == EXPIRES_DIGITS && name[user - 1] == '-' &&
	       strspn(name + user, "0123456789abcdef") == USER_DIGITS && name[id - 1] == '-' && uuid_parse(&uuid, name + id, len - id) == 0;
}

static int read_key(struct store *st, unsigned char key[SESSION_KEY_LEN], struct err *e)
{
	ssize_t n = os_read_file(st->dirfd, STORE_SESSION_KEY_FILE, key, SESSION_KEY_LEN);

	if (n == SESSION_KEY_LEN)
		return 1;
	if (n < 0 && os_gone(errno))
		return 0;
	if (n >= 0)
		errno = EUCLEAN;
	return err_sys(e, "cannot read %s", STORE_SESSION_KEY_FILE);
}

/* A secret: nobody else may read it, not even before it has its name. */
static int write_key(struct store *st, const char *path)
{
	cleanup_fd int fd = os_open(st->dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	unsigned char key[SESSION_KEY_LEN];
	int rc;

	if (fd < 0)
		return -1;
	os_random(key, sizeof(key));
	rc = os_write_full(fd, key, sizeof(key)) < 0 ? -1 : store_flush_fd(st, fd);
	explicit_bzero(key, sizeof(key));
	return rc;
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
	if (rc == 0 && linkat(st->dirfd, tmp.buf, st->dirfd, STORE_SESSION_KEY_FILE, 0) < 0 && errno != EEXIST)
		rc = -1;
	if (rc < 0)
		err_sys(e, "cannot create %s", STORE_SESSION_KEY_FILE);
	unlinkat(st->dirfd, tmp.buf, 0);
	if (rc == 0 && store_flush_above(st, STORE_SESSION_KEY_FILE, 2) < 0)
		rc = err_sys(e, "cannot flush %s", STORE_SESSIONS_DIR);
	return rc < 0 ? -1 : 0;
}

bool session_possible(const struct store *st)
{
	return faccessat(st->dirfd, STORE_BERTH_DIR, W_OK, AT_EACCESS) == 0;
}

int session_key(struct store *st, bool make, unsigned char key[SESSION_KEY_LEN], struct err *e)
{
	int found = read_key(st, key, e);

	if (found != 0 || !make || !session_possible(st))
		return found;
	return make_key(st, e) < 0 ? -1 : read_key(st, key, e);
}

int session_end(struct store *st, const struct session *s, struct err *e)
{
	cleanup_str struct str path = STR_INIT, name = STR_INIT;

	name_of(s, &name);
	path_in(&path, STORE_ENDED_DIR, name.buf);
	if (store_touch(st, path.buf) < 0 || store_flush_above(st, path.buf, 3) < 0)
		return err_sys(e, "cannot create %s", path.buf);
	return 0;
}

int session_has_ended(struct store *st, const struct session *s, struct err *e)
{
	cleanup_str struct str path = STR_INIT, name = STR_INIT;
	struct stat sb;

	name_of(s, &name);
	path_in(&path, STORE_ENDED_DIR, name.buf);
	if (fstatat(st->dirfd, path.buf, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return os_gone(errno) ? 0 : err_sys(e, "cannot look for %s", path.buf);
}

int session_tidy(struct store *st, uint64_t now, const struct digest *user, size_t *count, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	*count = 0;
	if (os_dir_list(st->dirfd, STORE_ENDED_DIR, DIR_ALL, &names) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", STORE_ENDED_DIR);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.v[i];
		uint64_t expires;

		if (!session_name_ok(name) || str_parse_u64(name, EXPIRES_DIGITS, &expires) < 0)
			continue;
		if (expires + LATE >= now) {
			*count += user && strncmp(name + EXPIRES_DIGITS + 1, digest_hex(user), USER_DIGITS) == 0;
			continue;
		}
		path_in(&path, STORE_ENDED_DIR, name);
		if (unlinkat(st->dirfd, path.buf, 0) < 0 && !os_gone(errno))
			return err_sys(e, "cannot remove %s", path.buf);
	}
	return 0;
}
