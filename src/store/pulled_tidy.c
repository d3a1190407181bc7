/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pulled_tidy: notes of pulls of what is gone, so that there are never many more notes than tags and manifests.
 *
 * Owns no state. A note is removed under the lock of its repository: a tag that does not exist then can't be pulled before the note is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "os/dir.h"
#include "os/again.h"
#include "os/file.h"
#include "store/lock.h"
#include "store/pulled.h"
#include "store/revision.h"
#include "store/store_path.h"
#include "store/walk.h"

#define RELIED_ON (2 * PULLED_HOUR)     /* a memo counts for an hour, by a clock that may not be that of the file system */
#define BATCH 256

struct tidy {
	struct store *st;
	const struct name *n;
	int64_t now;
	const char *dir;                /* of the notes */
	bool tags;
	enum digest_alg alg;            /* of manifests */
	struct names gone;              /* names of notes that may go */
	struct err *e;
	int rc;
};

/* Whether the tag or manifest of this note exists: 1, 0, -1 with *e. What is no such name was never written by berth, and stays. */
static int exists(struct tidy *t, const char *name, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct digest d;
	struct tag tag;
	uint64_t size;
	int64_t when;

	if (!t->tags)
		return digest_of_hex(&d, t->alg, name, strlen(name)) < 0 ? 1 : revision_linked(t->st, t->n, &d, e);
	if (tag_parse(&tag, name, strlen(name)) < 0)
		return 1;
	path_tag_current(&path, t->n, &tag);
	if (os_age(t->st->dirfd, path.buf, &when, &size) == 0)
		return 1;
	return os_gone(errno) || errno == ENOTDIR ? 0 : err_sys(e, "cannot look at %s", path.buf);
}

static void find(void *arg, const char *name, size_t len)
{
	struct tidy *t = arg;
	int found = t->rc < 0 ? 1 : exists(t, name, t->e);

	if (found < 0)
		t->rc = -1;
	else if (found == 0)
		names_add(&t->gone, name, len);
}

/* Under the lock: look again, and at the age of the note. */
static int forget(struct tidy *t, const char *name, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	uint64_t size;
	int64_t when;
	int found = exists(t, name, e);

	if (found)
		return found < 0 ? -1 : 0;
	path_in(&path, t->dir, name);
	if (os_age(t->st->dirfd, path.buf, &when, &size) < 0 || when > t->now - RELIED_ON)
		return 0;
	return os_unlinkat(t->st->dirfd, path.buf, 0) < 0 && errno != ENOENT && errno != EISDIR ? err_sys(e, "cannot remove %s", path.buf) : 0;
}

static int forget_all(struct tidy *t, struct err *e)
{
	size_t i = 0;

	while (i < t->gone.count) {
		cleanup_fd int lock = -1;
		size_t end = i + BATCH < t->gone.count ? i + BATCH : t->gone.count;

		if (lock_repository(t->st, t->n, &lock, e) < 0)
			return -1;
		for (; i < end; i++)
			if (forget(t, t->gone.v[i], e) < 0)
				return -1;
	}
	return 0;
}

/* One directory of notes; it goes when it is empty. */
static int tidy_notes(struct tidy *t, const char *dir, struct err *e)
{
	t->dir = dir;
	t->e = e;
	t->rc = 0;
	t->gone = (struct names)NAMES_INIT;
	if (os_dir_each(t->st->dirfd, dir, DIR_ALL, find, t) < 0 && !os_gone(errno) && errno != ENOTDIR)
		t->rc = err_sys(e, "cannot list %s", dir);
	if (t->rc == 0)
		t->rc = forget_all(t, e);
	names_release(&t->gone);
	os_unlinkat(t->st->dirfd, dir, AT_REMOVEDIR);
	return t->rc;
}

static int tidy_repository(struct store *st, const struct name *n, int64_t now, struct err *e)
{
	cleanup_str struct str base = STR_INIT, dir = STR_INIT;
	struct tidy t = { .st = st, .n = n, .now = now };

	for (int alg = 0; alg < DIGEST_ALG_COUNT; alg++) {
		t.alg = (enum digest_alg)alg;
		path_pulled_digests(&dir, n, t.alg);
		if (tidy_notes(&t, dir.buf, e) < 0)
			return -1;
	}
	path_pulled(&base, n);
	path_in(&dir, base.buf, STORE_PULLED_DIGESTS);
	os_unlinkat(st->dirfd, dir.buf, AT_REMOVEDIR);
	t.tags = true;
	path_pulled_tags(&dir, n);
	return tidy_notes(&t, dir.buf, e);
}

struct tidying {
	struct store *st;
	int64_t now;
};

static int tidy_name(void *arg, const struct name *n, const char *dir, struct err *e)
{
	struct tidying *t = arg;

	if (tidy_repository(t->st, n, t->now, e) < 0)
		return -1;
	os_unlinkat(t->st->dirfd, dir, AT_REMOVEDIR);
	return 0;
}

int pulled_tidy(struct store *st, int64_t now, struct err *e)
{
	struct tidying t = { st, now };

	return walk_names(st, STORE_PULLED_DIR, tidy_name, &t, e);
}
