/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_leftovers: garbage that nothing ever referred to: abandoned uploads, what crashes left in berth's own
 * directories, and sessions that would have expired by now.
 *
 * Owns no state.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "care/gc_work.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/repo.h"
#include "store/repo_take.h"
#include "store/session.h"
#include "store/store_path.h"
#include "store/upload.h"

static bool is_abandoned(const struct gc_work *w, int64_t when)
{
	return when <= w->now && (uint64_t)(w->now - when) > w->o->uploads;
}

/* Something that is no upload, removed at the age at which an upload would be. */
static int collect_leftover(struct gc_work *w, const char *path, struct err *e)
{
	struct stat sb;

	if (os_fstatat(w->r->st->dirfd, path, &sb, AT_SYMLINK_NOFOLLOW) < 0 || !is_abandoned(w, (int64_t)sb.st_mtim.tv_sec))
		return 0;
	if (!w->o->dry_run && os_remove_tree(w->r->st->dirfd, path) < 0)
		return err_sys(e, "cannot remove %s", path);
	gc_tell(w, GC_LEFTOVER, NULL, path, S_ISREG(sb.st_mode) ? (uint64_t)sb.st_size : 0);
	return 0;
}

/* 1 with the upload open and locked if it is still abandoned: its age is checked again under the lock. */
static int open_abandoned(struct gc_work *w, const struct name *n, const struct uuid *uuid, struct upload **u, uint64_t *size,
		    struct err *e)
{
	struct err busy = ERR_INIT;
	int64_t when;
	int found = upload_open(u, w->r->st, n, uuid, &busy);

	err_release(&busy);             /* a request has it open */
	if (found <= 0)
		return 0;
	found = upload_age(w->r->st, n, uuid, &when, size, e);
	return found <= 0 ? found : is_abandoned(w, when);
}

static int collect_upload(struct gc_work *w, const struct name *n, const struct uuid *uuid, struct err *e)
{
	cleanup_upload struct upload *u = NULL;
	cleanup_str struct str path = STR_INIT;
	uint64_t size;
	int64_t when;
	int found = upload_age(w->r->st, n, uuid, &when, &size, e);

	if (found == 0) {
		/* No upload, for lack of startedat: registry:2 leaves the hash states of uploads that it cancels. */
		path_upload(&path, n, uuid);
		return collect_leftover(w, path.buf, e);
	}
	if (found < 0)
		return -1;
	if (!is_abandoned(w, when)) {
		w->out->kept_uploads++;
		return 0;
	}
	if (!w->o->dry_run) {
		found = open_abandoned(w, n, uuid, &u, &size, e);
		if (found <= 0) {
			w->out->kept_uploads += found == 0;
			return found;
		}
		if (upload_remove(u, e) < 0)
			return -1;
	}
	w->out->bytes += size;
	gc_tell(w, GC_UPLOAD, n, uuid->s, size);
	return 0;
}

struct uploads {
	struct gc_work *w;
	struct names hollow;            /* directories of names without a repository and without uploads */
};

static int collect_uploads(void *arg, const struct name *n, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;
	struct uploads *u = arg;
	struct gc_work *w = u->w;
	size_t i;
	int hollow;

	path_uploads(&dir, n);
	if (os_dir_list(w->r->st->dirfd, dir.buf, DIR_DIRS, &all) < 0 && !os_gone(errno))
		return err_sys(e, "cannot list %s", dir.buf);
	for (i = 0; i < all.count; i++) {
		struct uuid uuid;

		if (gc_goes_on(e) < 0)
			return -1;
		if (uuid_parse(&uuid, all.v[i], strlen(all.v[i])) == 0 && collect_upload(w, n, &uuid, e) < 0)
			return -1;
	}
	hollow = w->o->dry_run ? 0 : repo_is_hollow(w->r->st, n, e);
	if (hollow == 1)
		names_add(&u->hollow, n->s, n->len);
	return hollow < 0 ? -1 : 0;
}

/* A removed upload leaves a directory for each component of a name that never became a repository. */
static int tidy(struct gc_work *w, const struct names *hollow, struct err *e)
{
	size_t i = 0;

	while (i < hollow->count) {
		if (gc_enter(w, e) < 0)
			return -1;
		for (; i < hollow->count && gc_batch_goes_on(w); i++) {
			struct name n = gc_name(hollow->v[i]);

			repo_tidy(w->r->st, &n);
		}
		gc_unlock(w);
		gc_leave(w);
	}
	return 0;
}

/* The entries of one of berth's own directories. */
static int collect_names(struct gc_work *w, const char *dir, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	size_t i;

	if (os_dir_list(w->r->st->dirfd, dir, DIR_ALL, &all) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", dir);
	for (i = 0; i < all.count; i++) {
		str_reset(&path);
		str_addf(&path, "%s/%s", dir, all.v[i]);
		if (gc_goes_on(e) < 0 || collect_leftover(w, path.buf, e) < 0)
			return -1;
	}
	return 0;
}

int gc_leftovers(struct gc_work *w, struct err *e)
{
	static const char *const dirs[] = { STORE_BODY_DIR, STORE_TMP_DIR, STORE_TRASH_DIR };
	struct uploads u = { .w = w, .hollow = NAMES_INIT };
	size_t i;
	int rc;

	rc = collector_now(w->c, &w->now, e) < 0 || repo_walk_dirs(w->r->st, collect_uploads, &u, e) < 0 ||
			     tidy(w, &u.hollow, e) < 0 ?
		     -1 :
		     0;
	names_release(&u.hollow);
	if (rc < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(dirs); i++)
		if (collect_names(w, dirs[i], e) < 0)
			return -1;
	return w->o->dry_run ? 0 : session_tidy(w->r->st, (uint64_t)time(NULL), e);
}
