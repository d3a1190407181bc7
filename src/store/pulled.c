/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pulled: noting and reading the last pull.
 *
 * Owns the files below berth/pulled/, and the memo of this process in struct store. Invariant: what is in the memo was noted in a file within
 * this hour. Knows no rules.
 */
#include "store/pulled.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sip.h"
#include "os/again.h"
#include "os/file.h"
#include "store/store_path.h"
#include "store/summary_note.h"

#define SLOTS 8192              /* 64 KiB */

struct pulls {
	uint64_t key[2];
	uint64_t slot[SLOTS];   /* of each number at most the last; 0: none */
};

/* What one pull notes, and when, as one number: nobody without the key can choose names that take the place of others. */
static uint64_t number_of(const struct store *st, const struct name *n, const struct tag *t, const struct digest *d, int64_t hour)
{
	uint64_t key[2] = { st->pulls->key[0] ^ (uint64_t)hour, st->pulls->key[1] };

	key[0] = sip_hash(key, n->s, n->len);
	key[0] = sip_hash(key, d->text, strlen(d->text));
	key[0] = t ? sip_hash(key, t->s, t->len) : key[0];
	return key[0] ? key[0] : 1;
}

/* Note this hour: 1 noted now, 0 it was already, -1 it can't be. What is in the place of a file stays: fsck names it. */
static int note(struct store *st, const char *path, int64_t hour)
{
	struct stat sb;

	if (os_fstatat(st->dirfd, path, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && store_touch(st, path) == 0 ? 1 : -1;
	if (!S_ISREG(sb.st_mode) || sb.st_mtim.tv_sec / PULLED_HOUR == hour)
		return 0;
	return os_utimensat(st->dirfd, path, NULL, AT_SYMLINK_NOFOLLOW) == 0 ? 1 : -1;
}

/* After the file: whoever writes the summary anew meanwhile has seen the one or the other. 0, or -1 */
static int note_tag(struct store *st, const struct name *n, const struct tag *t, int64_t now)
{
	cleanup_str struct str path = STR_INIT;
	int noted;

	path_pulled_tag(&path, n, t);
	noted = note(st, path.buf, now / PULLED_HOUR);
	if (noted == 1) {
		path_index_file(&path, n, STORE_INDEX_SUMMARY);
		summary_note_pull(st, path.buf, t->s, now);
	}
	return noted < 0 ? -1 : 0;
}

void pulled_note(struct store *st, const struct name *n, const struct tag *t, const struct digest *d)
{
	cleanup_str struct str path = STR_INIT;
	int64_t now = (int64_t)time(NULL), hour = now / PULLED_HOUR;
	uint64_t number, *slot;

	if (!st->pulls) {
		st->pulls = xcalloc(1, sizeof(*st->pulls));
		os_random(st->pulls->key, sizeof(st->pulls->key));
	}
	number = number_of(st, n, t, d, hour);
	slot = &st->pulls->slot[number % SLOTS];
	if (*slot == number)
		return;
	path_pulled_digest(&path, n, d);
	if (note(st, path.buf, hour) < 0 || (t && note_tag(st, n, t, now) < 0))
		return;
	*slot = number;
}

/* As os_age(), but for a regular file alone. */
static int look(struct store *st, const char *path, int64_t *when, struct err *e)
{
	struct statx sx;

	*when = 0;
	if (os_statx(st->dirfd, path, AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MTIME, &sx) < 0)
		return os_gone(errno) || errno == ENOTDIR ? 0 : err_sys(e, "cannot look at %s", path);
	*when = (int64_t)sx.stx_mtime.tv_sec;
	return S_ISREG(sx.stx_mode);
}

int pulled_since(struct store *st, bool make, int64_t now, int64_t *since, struct err *e)
{
	int found = look(st, STORE_PULLED_SINCE, since, e);

	if (found == 0 && make)
		store_touch(st, STORE_PULLED_SINCE);
	if (found == 0)
		*since = now;
	return found < 0 ? -1 : 0;
}

void pulled_pause(struct store *st)
{
	os_unlinkat(st->dirfd, STORE_PULLED_SINCE, 0);
}

int pulled_tag(struct store *st, const struct name *n, const struct tag *t, int64_t *when, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_pulled_tag(&path, n, t);
	return look(st, path.buf, when, e);
}

int pulled_digest(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_pulled_digest(&path, n, d);
	return look(st, path.buf, when, e);
}
