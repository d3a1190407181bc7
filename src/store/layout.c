/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout: making the directories of a store, and checking its format.
 *
 * Owns berth/format, the list of directories that every store has, and their modes. Knows nothing of what lies in them.
 */
#include "store/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/probe.h"
#include "store/store_path.h"

#define FORMAT_MAX 32           /* bytes of berth/format */
#define PREFIXES 256

/* In the order of creation: parents first. */
static const char *const layout[] = {
	STORE_DOCKER_DIR,
	STORE_REGISTRY_DIR,
	STORE_V2_DIR,
	STORE_BLOBS_DIR,
	STORE_SHA256_DIR,
	STORE_SHA512_DIR,
	STORE_REPOSITORIES_DIR,
	STORE_BERTH_DIR,
	STORE_BODY_DIR,
	STORE_TMP_DIR,
	STORE_TRASH_DIR,
	STORE_GC_DIR,
	STORE_INDEX_DIR,
	STORE_JOURNAL_DIR,
	STORE_READERS_DIR,
	STORE_CATALOG_DIR,
	STORE_LOCKS_DIR,
	STORE_REPOSITORY_LOCKS_DIR,
	STORE_QUOTA_LOCKS_DIR,
	STORE_QUOTA_DIR,
};

/* The directories whose entries must survive a power cut. The others are created again, and hold nothing that was promised. */
static const char *const vital[] = {
	STORE_DOCKER_DIR, STORE_REGISTRY_DIR, STORE_V2_DIR, STORE_BLOBS_DIR, STORE_SHA256_DIR, STORE_BERTH_DIR, STORE_INDEX_DIR,
	STORE_JOURNAL_DIR,
};

static bool is_version(const char *s)
{
	return *s && strspn(s, "0123456789.") == strlen(s);
}

/*
 * The number, and behind a blank the first version that knows it: "2 2.0.0". Version 1.0.0 refuses what is more than a number, or greater than
 * its own.
 */
static int check_format(struct store *st, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t number;
	size_t len;

	if (store_read(st, STORE_FORMAT_FILE, FORMAT_MAX, &text) < 0)
		return err_sys(e, "cannot read %s", STORE_FORMAT_FILE);
	while (text.len && text.buf[text.len - 1] == '\n')
		str_cut(&text, text.len - 1);
	if (!text.len) {
		str_addf(&text, "%d\n", STORE_FORMAT);
		if (!st->readonly && store_replace(st, STORE_FORMAT_FILE, text.buf, text.len, true) < 0)
			return err_sys(e, "cannot write %s", STORE_FORMAT_FILE);
		return 0;
	}
	len = strcspn(text.buf, " ");
	if (str_parse_u64(text.buf, len, &number) == 0 && number <= STORE_FORMAT)
		return 0;
	errno = EPROTO;
	if (text.buf[len] == ' ' && is_version(text.buf + len + 1))
		return err_sys(e, "this store needs berth %s or newer: its format (%s) is %.*s, and berth " PACKAGE_VERSION " knows %d",
			       text.buf + len + 1, STORE_FORMAT_FILE, (int)len, text.buf, STORE_FORMAT);
	return err_sys(e, "%s is of a newer berth (berth " PACKAGE_VERSION " knows format %d)", STORE_FORMAT_FILE, STORE_FORMAT);
}

/*
 * Versions before 1.0 kept links in a directory there, which nginx served while no worker lived. Nothing updates them any more, and an
 * nginx with the configuration of such a version would still serve them. So they are removed, durably. A symbolic link is store/believed.h's.
 */
static int remove_fallback(struct store *st, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	struct stat sb;
	int found;

	if (os_fstatat(st->dirfd, STORE_BELIEVED_LINK, &sb, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(sb.st_mode))
		return 0;
	found = store_trash(st, STORE_BELIEVED_LINK, &trashed, e);
	if (found <= 0)
		return found;
	if (store_flush_above(st, STORE_BELIEVED_LINK, 1) < 0)
		return err_sys(e, "cannot flush the directory of %s", STORE_BELIEVED_LINK);
	store_purge(st, trashed.buf);
	return 0;
}

/* Content lies below the first two digits of its digest. A push finds these directories, and need not flush what is above them. */
static int make_prefixes(struct store *st)
{
	cleanup_names struct names there = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	unsigned i;

	if (os_dir_list(st->dirfd, STORE_SHA256_DIR, DIR_DIRS, &there) < 0)
		return -1;
	for (i = 0; there.count < PREFIXES && i < PREFIXES; i++) {
		str_reset(&path);
		str_addf(&path, STORE_SHA256_DIR "/%02x", i);
		if (os_mkdir_once(st->dirfd, path.buf) < 0)
			return -1;
	}
	return 0;
}

/* A new root is closed to other users, whatever the umask; the mode of an existing one is the administrator's choice. */
static int make_root(const char *root)
{
	mode_t mask = umask(0);
	int rc;

	umask(mask | 027);
	rc = os_mkdirs(AT_FDCWD, root);
	umask(mask);
	return rc;
}

/* The top directories keep other users out of everything below, even if the root itself is open to them. */
static mode_t layout_mode(const char *dir)
{
	return strchr(dir, '/') && strcmp(dir, STORE_LOCKS_DIR) != 0 ? 0777 : 0750;
}

/*
 * A user who can open a lock file can lock it, and then everybody waits. This fails in a directory of another owner;
 * layout_warn_if_open() reports that.
 */
static void close_locks(int dirfd)
{
	struct stat sb;

	if (os_fstatat(dirfd, STORE_LOCKS_DIR, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(sb.st_mode) && (sb.st_mode & S_IRWXO))
		fchmodat(dirfd, STORE_LOCKS_DIR, sb.st_mode & 07770, 0);
}

/* Nothing could be published across file systems, and each push would fail. */
static int check_one_file_system(struct store *st, const char *root, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(layout); i++)
		if (probe_elsewhere(st, layout[i])) {
			errno = EXDEV;
			return err_sys(e, "%s/%s is on another file system than %s/%s", root, layout[i], root, STORE_TMP_DIR);
		}
	return 0;
}

int layout_prepare(const struct store_options *o, struct err *e)
{
	cleanup_store struct store *st = NULL;
	size_t i;

	if (!o->readonly && make_root(o->root) < 0)
		return err_sys(e, "cannot make the store %s", o->root);
	if (store_open_root(&st, o, e) < 0)
		return -1;
	if (o->readonly)
		return check_format(st, e);
	for (i = 0; i < ARRAY_LEN(layout); i++)
		if (os_mkdirat(st->dirfd, layout[i], layout_mode(layout[i])) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make %s/%s", o->root, layout[i]);
	if (make_prefixes(st) < 0)
		return err_sys(e, "cannot make directories in %s/%s", o->root, STORE_SHA256_DIR);
	close_locks(st->dirfd);
	if (os_faccessat(st->dirfd, STORE_TMP_DIR, W_OK | X_OK, AT_EACCESS) < 0 ||
	    os_faccessat(st->dirfd, STORE_REPOSITORIES_DIR, W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, "the store %s can't be written by uid %d", o->root, (int)geteuid());
	if (check_one_file_system(st, o->root, e) < 0 || probe_file_system(st, o->root, e) < 0 || check_format(st, e) < 0)
		return -1;
	return remove_fallback(st, e);
}

/* Existing directories are flushed too: the process that created one may have died before it flushed the parent. */
int layout_flush(struct store *st, const char *root, struct err *e)
{
	size_t i;

	if (store_flush_fd(st, st->dirfd) < 0 || (store_flush_dir(st, "..") < 0 && errno != EACCES))
		return err_sys(e, "cannot flush the store %s", root);
	for (i = 0; i < ARRAY_LEN(vital); i++)
		if (store_flush_dir(st, vital[i]) < 0)
			return err_sys(e, "cannot flush %s/%s", root, vital[i]);
	return 0;
}

static bool others_enter(const struct store *st, const char *dir)
{
	struct stat sb;

	return os_fstatat(st->dirfd, dir, &sb, 0) == 0 && (sb.st_mode & S_IXOTH);
}

static bool others_may_read(const struct store *st)
{
	return others_enter(st, ".") &&
	       (others_enter(st, STORE_DOCKER_DIR) || (others_enter(st, STORE_BERTH_DIR) && others_enter(st, STORE_LOCKS_DIR)));
}

/* The mode of an existing store is not changed: another program may serve it or read it. */
void layout_warn_if_open(const struct store *st, const char *root)
{
	if (others_may_read(st))
		log_say(LOG_WARN, "open_store",
			"every user of this machine can read what is in %s, and hold up uploads; `chmod o= %s` keeps it to its owner and group",
			root, root);
}
