/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_work: reports, repairs, and the second look.
 *
 * Owns the texts of the kinds, and berth/quarantine/. Invariant: everything is removed by one rename.
 */
#include "care/fsck_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "os/again.h"
#include "os/file.h"
#include "os/process.h"
#include "os/tree.h"
#include "store/blob.h"
#include "store/lock.h"
#include "store/moves.h"
#include "store/quota.h"
#include "store/spool.h"
#include "store/store_path.h"

#define REMEMBERED 1000         /* paths */

static const struct {
	const char *name, *todo;
} kinds[FSCK_KINDS] = {
	[FSCK_FORMAT] = { "format", "use the berth version that wrote it" },
	[FSCK_UNREADABLE] = { "unreadable", "check its permissions, and the disk" },
	[FSCK_DENIED] = { "not-writable", "give it to the user that runs the registry" },
	[FSCK_FOREIGN] = { "foreign-name", "move it out of the store" },
	[FSCK_STOPPER] = { "walk-stopper", "move it out of the store before registry:2 serves this" },
	[FSCK_LEFTOVER] = { "leftover", "remove it" },
	[FSCK_HALF] = { "half-repository", "create the missing directory" },
	[FSCK_UPLOAD] = { "upload-without-start", "remove it" },
	[FSCK_LAYER_LINK] = { "layer-link", "push the blob again" },
	[FSCK_LAYER_BARE] = { "layer-without-link", "remove the directory" },
	[FSCK_LAYER_DANGLING] = { "layer-without-content", "push the blob again" },
	[FSCK_REVISION_LINK] = { "revision-link", "push the manifest again" },
	[FSCK_REVISION_BARE] = { "revision-without-link", "remove the directory" },
	[FSCK_REVISION_DANGLING] = { "revision-without-content", "push the manifest again, or delete it" },
	[FSCK_TAG_LINK] = { "tag-link", "push the tag again" },
	[FSCK_TAG_BARE] = { "tag-without-link", "push the tag again" },
	[FSCK_TAG_DANGLING] = { "tag-without-manifest", "push the tag again, or delete it" },
	[FSCK_TAG_INDEX] = { "tag-index-link", "push the tag again" },
	[FSCK_MANIFEST_UNREADABLE] = { "manifest-unreadable", "delete it" },
	[FSCK_MANIFEST_TOO_LARGE] = { "manifest-too-large", "raise manifests.max_size, or delete it" },
	[FSCK_REFERENCE] = { "missing-reference", "push it again, or delete the manifest" },
	[FSCK_SIZE] = { "wrong-size", "push a manifest with the right size" },
	[FSCK_BLOB_BARE] = { "blob-without-data", "remove the directory" },
	[FSCK_BLOB_EMPTY] = { "blob-empty", "remove the file and push it again" },
	[FSCK_BLOB_MISPLACED] = { "blob-misplaced", "move it out of the store" },
	[FSCK_BLOB_BYTES] = { "blob-wrong-bytes", "remove the file and push it again" },
	[FSCK_INDEX_NAMES] = { "index-tag-names", "run berth index rebuild" },
	[FSCK_INDEX_TAGS] = { "index-tags-of", "run berth index rebuild" },
	[FSCK_INDEX_REFERRERS] = { "index-referrers", "run berth index rebuild" },
	[FSCK_INDEX_DESCRIPTOR] = { "index-descriptor", "run berth index rebuild" },
	[FSCK_INDEX_CATALOG] = { "index-catalog", "run berth index rebuild" },
	[FSCK_INDEX_SUMMARY] = { "index-summary", "run berth index rebuild" },
	[FSCK_INDEX_DAMAGED] = { "index-damaged", "run berth index rebuild" },
	[FSCK_QUOTA] = { "quota-count", "run berth fsck --repair" },
};

const char *fsck_kind_name(enum fsck_kind kind)
{
	return kinds[kind].name;
}

void fsck_add_text(struct str *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f || c == '\\')
			str_addf(out, "\\x%02x", c);
		else
			str_addc(out, *s);
	}
}

/* Several parts of a check may meet the same unreadable file: each of the first 1000 is reported once. */
static bool already_reported(struct fsck_work *w, const struct fsck_fault *f)
{
	size_t i;

	if (f->kind != FSCK_UNREADABLE)
		return false;
	for (i = 0; i < w->unreadable.count; i++)
		if (strcmp(w->unreadable.v[i], f->where) == 0)
			return true;
	if (w->unreadable.count < REMEMBERED)
		names_add(&w->unreadable, f->where, strlen(f->where));
	return false;
}

void fsck_report(struct fsck_work *w, const struct fsck_fault *f, const char *fmt, ...)
{
	struct fsck_finding finding = { .kind = f->kind, .where = f->where };
	cleanup_str struct str what = STR_INIT, todo = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	char text[512];
	va_list ap;

	if (already_reported(w, f))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fsck_add_text(&what, text);
	finding.what = what.buf;
	if (!f->repair)
		str_puts(&todo, f->todo ? f->todo : kinds[f->kind].todo);
	else if (!w->o->repair)
		str_puts(&todo, f->moves ? "--repair moves it to berth/quarantine; then push it again" : "run berth fsck --repair");
	else if (f->repair(w, f->arg, &e) == 0) {
		finding.repaired = true;
		str_puts(&todo, f->moves ? "it is in berth/quarantine; push it again" : "");
	} else if (w->again && quota_was_busy(w->r->st)) {
		return;                 /* fsck_twice() looks again */
	} else {
		str_puts(&todo, "not repaired: ");
		err_text(&e, &todo);
		str_addf(&todo, "; %s", kinds[f->kind].todo);
	}
	finding.todo = todo.buf;
	w->out->found++;
	w->out->repaired += finding.repaired;
	w->o->tell(w->o->arg, &finding);
}

static void empty_trash(struct fsck_work *w)
{
	store_purge_all(w->r->st, &w->trashed);
	names_release(&w->trashed);
}

static int look_again(struct fsck_work *w, const struct name *n, fsck_check *check, void *arg, struct err *e)
{
	cleanup_fd int lock = -1;
	cleanup_collector struct store *held = NULL;
	int rc;

	if ((n && lock_repository(w->r->st, n, &lock, e) < 0) || lock_collector_alone(w->r->st, e) < 0)
		return -1;
	held = w->r->st;
	quota_hurry(held);
	w->again = true;
	rc = check(w, arg, true, e);
	w->again = false;
	return rc;
}

bool fsck_concerns_one(const struct err *e)
{
	switch (e->sys) {
	case 0:
	case EDQUOT:
	case EINTR:
	case EMFILE:
	case ENFILE:
	case ENOLCK:
	case ENOMEM:
	case ENOSPC:
	case EROFS:
		return false;
	default:
		return true;
	}
}

int fsck_unreadable(struct fsck_work *w, struct err *e)
{
	struct fsck_fault f = { .kind = FSCK_UNREADABLE };
	struct err told = *e;
	const char *blank = strrchr(told.cause, ' ');

	if (!fsck_concerns_one(e))
		return -1;
	*e = (struct err)ERR_INIT;
	f.where = blank ? blank + 1 : told.cause;       /* every cause ends with the path */
	fsck_report(w, &f, "cannot be read: %s", strerror(told.sys));
	err_release(&told);
	return 0;
}

int fsck_twice(struct fsck_work *w, const struct name *n, fsck_check *check, void *arg, struct err *e)
{
	int rc = check(w, arg, false, e);
	uint64_t begun, took;

	if (rc <= 0)
		return rc < 0 ? fsck_unreadable(w, e) : 0;
	begun = time_now_usec();
	do      /* where somebody was counting, what was found has not been reported */
		rc = look_again(w, n, check, arg, e);
	while (quota_was_busy(w->r->st) && (rc = quota_try_again(w->r->st, e)) == 0);
	took = time_now_usec() - begun;
	empty_trash(w);
	/* As the collector does: leave the locks to writers for as long as this held them. */
	os_pause(took);
	return rc < 0 ? fsck_unreadable(w, e) : 0;
}

bool fsck_ignored(const char *name)
{
	return strncmp(name, ".nfs", 4) == 0 || strcmp(name, ".snapshot") == 0;
}

mode_t fsck_type(struct fsck_work *w, const char *path)
{
	struct stat sb;

	return os_fstatat(w->r->st->dirfd, path, &sb, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : sb.st_mode & S_IFMT;
}

int fsck_list(struct fsck_work *w, const char *dir, struct names *out)
{
	struct fsck_fault f = { .kind = FSCK_UNREADABLE, .where = dir };
	mode_t type;
	int error;

	if (os_dir_list(w->r->st->dirfd, dir, DIR_ALL, out) == 0)
		return 1;
	error = errno;
	type = os_gone(error) ? fsck_type(w, dir) : 0;
	if (type && type != S_IFDIR) {  /* S_IFDIR: it has just been made */
		f.kind = FSCK_FOREIGN;
		if (!w->again && strrchr(dir, '/')[1] != '_')
			fsck_report(w, &f, type == S_IFLNK ? "is a symbolic link that leads to no directory" : "is not a directory");
	} else if (!os_gone(error) && !w->again) {
		fsck_report(w, &f, "cannot be listed: %s", strerror(error));
	}
	names_release(out);
	return 0;
}

void fsck_files(struct fsck_work *w, const char *dir, const char *const *names)
{
	cleanup_str struct str path = STR_INIT;
	struct fsck_fault f = { .kind = FSCK_FOREIGN };
	mode_t type;

	for (; *names; names++) {
		str_reset(&path);
		str_addf(&path, "%s/%s", dir, *names);
		type = fsck_type(w, path.buf);
		f.where = path.buf;
		f.kind = FSCK_FOREIGN;
		if (type && type != S_IFREG) {
			fsck_report(w, &f, "is not a regular file");
		} else if (type && os_faccessat(w->r->st->dirfd, path.buf, R_OK, AT_EACCESS) < 0 && errno != ENOENT) {
			f.kind = FSCK_UNREADABLE;
			fsck_report(w, &f, "cannot be read: %s", strerror(errno));
		}
	}
}

void fsck_stray(struct fsck_work *w, const char *dir, const char *name)
{
	cleanup_str struct str path = STR_INIT;
	struct fsck_fault f = { .kind = FSCK_FOREIGN };
	size_t len = strlen(name);
	mode_t type;

	str_addf(&path, "%s/%s", dir, name);
	f.where = f.arg = path.buf;
	type = fsck_type(w, path.buf);
	if (!type || fsck_ignored(name) || w->again)
		return;
	if (type == S_IFREG && len > 4 && strcmp(name + len - 4, ".tmp") == 0) {
		/* berth never makes such a name here, so no request is using it. */
		f.kind = FSCK_LEFTOVER;
		f.repair = fsck_repair_remove;
		fsck_report(w, &f, "is an unfinished file of another registry");
		empty_trash(w);
		return;
	}
	fsck_report(w, &f, "does not belong here");
}

int fsck_manifest_bytes(struct fsck_work *w, const struct digest *content, struct str *bytes, uint64_t *size,
			struct err *e)
{
	cleanup_fd int fd = -1;
	int found = blob_open(w->r->st, content, &fd, size, e);

	str_reset(bytes);
	if (found <= 0)
		return found;
	if (*size > w->r->cfg->max_manifest)
		return 2;
	return os_read_str(fd, *size, bytes) < 0 ? err_sys(e, "cannot read %s", content->text) : 1;
}

int fsck_content_good(struct fsck_work *w, const struct digest *d, struct err *e)
{
	cleanup_fd int fd = -1;
	struct digest is;
	uint64_t size;
	int found = blob_open(w->r->st, d, &fd, &size, e);

	if (found <= 0)
		return found;
	if (digestset_has(&w->good, d))
		return 1;
	if (!w->o->repair && digestset_has(&w->corrupt, d))
		return 0;
	if (spool_hash_fd(fd, false, d->alg, &is, e) < 0)
		return -1;
	digestset_add(digest_eq(&is, d) ? &w->good : &w->corrupt, d);
	return digest_eq(&is, d);
}

int fsck_remove(struct fsck_work *w, const char *path, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	int found = store_trash(w->r->st, path, &trashed, e);

	if (found <= 0)
		return found;
	names_add(&w->trashed, trashed.buf, trashed.len);
	return store_flush_above(w->r->st, path, 1) < 0 ? err_sys(e, "cannot flush the directory of %s", path) : 0;
}

int fsck_repair_remove(struct fsck_work *w, const void *arg, struct err *e)
{
	return fsck_remove(w, arg, e);
}

int fsck_clear(struct fsck_work *w, const char *path, struct err *e)
{
	mode_t type = fsck_type(w, path);

	return type && type != S_IFREG ? fsck_remove(w, path, e) : 0;
}

int fsck_quarantine(struct fsck_work *w, const char *path, const struct digest *d, struct err *e)
{
	cleanup_str struct str to = STR_INIT, dir = STR_INIT;
	struct store *st = w->r->st;
	cleanup_moves int moving = -1;
	unsigned again;

	if (quota_repair_all(st, e) < 0 || moves_begin(st, &moving, e) < 0)
		return -1;
	if (os_mkdir_once(st->dirfd, STORE_QUARANTINE_DIR) < 0)
		return err_sys(e, "cannot make %s", STORE_QUARANTINE_DIR);
	str_addf(&to, STORE_QUARANTINE_DIR "/%s-%s", digest_alg_name(d->alg), digest_hex(d));
	/* Never replace a file of an earlier repair. The lock keeps other processes from using the name meanwhile. */
	for (again = 1; fsck_type(w, to.buf); again++) {
		str_reset(&to);
		str_addf(&to, STORE_QUARANTINE_DIR "/%s-%s.%u", digest_alg_name(d->alg), digest_hex(d), again);
	}
	if (os_renameat(st->dirfd, path, st->dirfd, to.buf) < 0)
		return err_sys(e, "cannot move %s to %s", path, to.buf);
	if (store_flush_above(st, to.buf, 2) < 0)
		return err_sys(e, "cannot flush the directories of %s", to.buf);
	str_add(&dir, path, (size_t)(strrchr(path, '/') - path));
	/* A directory with other entries stays; the next fsck reports them. */
	if (os_unlinkat(st->dirfd, dir.buf, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, "cannot remove %s", dir.buf);
	if (store_flush_above(st, dir.buf, 1) < 0)
		return err_sys(e, "cannot flush the directory of %s", dir.buf);
	return 0;
}

int fsck_repair_content(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_blob(&path, arg);
	return fsck_quarantine(w, path.buf, arg, e);
}
