/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stale: finding out by the files of other masters whether a cache is asked in place of the file system.
 *
 * Owns no state; it only reads.
 */
#include "store/stale.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "os/again.h"
#include "os/fs.h"
#include "os/fs_options.h"
#include "os/process.h"
#include "store/beat.h"
#include "store/store_path.h"

#define LOOK 50000              /* microseconds between two looks at a file */
#define APART 20000             /* two looks that were further apart say nothing: the change may have been made between them */
#define LATE 3                  /* so many changes in a row that were seen late are no accident */
#define PAUSES 6
#define OTHERS 4                /* files that are looked at */

struct other {
	char path[64];
	struct statx_timestamp changed;         /* as the server has told last */
};

static bool look(const struct machine *m, const char *path, int how, struct statx_timestamp *changed)
{
	struct statx sx;

	if (os_statx(m->dirfd, path, AT_SYMLINK_NOFOLLOW | how, STATX_MTIME, &sx) < 0)
		return false;
	*changed = sx.stx_mtime;
	return true;
}

static bool is_same(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What a change says: whoever sees one at once does not answer from a cache. */
static void compare(struct stale *s, const struct machine *m, struct other *of)
{
	struct statx_timestamp seen, told;
	uint64_t begun = time_now_usec();

	if (!look(m, of->path, AT_STATX_SYNC_AS_STAT, &seen) || !look(m, of->path, AT_STATX_FORCE_SYNC, &told) || is_same(&told, &of->changed))
		return;
	of->changed = told;
	s->pauses = 0;
	if (is_same(&seen, &told))
		s->known = true;
	else if (time_now_usec() - begun < APART)
		s->late++;
}

static void tell(const struct machine *m)
{
	cleanup_str struct str type = STR_INIT, options = STR_INIT, fresh = STR_INIT;

	if (fs_describe(m->dirfd, &type, &options) == 0)
		fs_options_fresh(type.buf, options.buf, &fresh);
	log_say(LOG_WARN, "machines", "this machine sees late what other machines change, since its mount answers from a cache; %s%s; "
		"`berth probe` says how late", fresh.len ? "mount it with " : "see doc/MACHINES.md for the options of the mount",
		fresh.len ? fresh.buf : "");
}

/* As many as are looked at, with what the server says of each. */
static size_t find(const struct machine *m, const struct names *names, struct other v[OTHERS])
{
	size_t i, count = 0;

	for (i = 0; i < names->count && count < OTHERS; i++) {
		if (!beat_is_name(names->v[i]) || strcmp(names->v[i], m->name) == 0)
			continue;
		snprintf(v[count].path, sizeof(v[count].path), "%s/%s", STORE_MACHINES_DIR, names->v[i]);
		if (look(m, v[count].path, AT_STATX_FORCE_SYNC, &v[count].changed))
			count++;
	}
	return count;
}

/* Whether there is something to find out in this pause. */
static bool wants(struct stale *s, size_t others)
{
	if (others > s->others)
		s->pauses = 0;
	s->others = others;
	return !s->known && s->pauses++ < PAUSES;
}

void stale_pause(struct stale *s, const struct machine *m, const struct names *names, uint64_t usec)
{
	uint64_t end = time_now_usec() + usec, now;
	struct other v[OTHERS];
	size_t i, count = wants(s, names->count) ? find(m, names, v) : 0;

	while ((now = time_now_usec()) < end) {
		os_pause(count && !s->known && end - now > LOOK ? LOOK : end - now);
		for (i = 0; i < count && !s->known; i++)
			compare(s, m, &v[i]);
		if (s->late >= LATE && !s->known) {
			s->known = true;
			tell(m);
		}
	}
}
