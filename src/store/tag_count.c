/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tag_count: how many tags a repository has.
 *
 * Owns nothing. A directory in tags/ need not be a tag: registry:2 and crashes leave some without a link. So their number is at
 * least that of the tags, and the links decide only where it matters.
 */
#include "store/tag_count.h"

#include <errno.h>
#include <sys/stat.h>

#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/fs.h"
#include "store/store_path.h"
#include "store/tag.h"

static void count_one(void *arg, const char *name, size_t len)
{
	struct tag t;

	*(uint64_t *)arg += tag_parse(&t, name, len) == 0;
}

/* Ends above `enough`: a repository may have many more tags than a new rule allows. */
static int count_links(struct store *st, const struct name *n, uint64_t enough, uint64_t *count, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;

	*count = 0;
	if (tag_names(st, n, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.count && *count <= enough; i++) {
		struct tag t;
		int found = tag_parse(&t, all.v[i], strlen(all.v[i])) == 0 ? tag_is_there(st, n, &t, e) : 0;

		if (found < 0)
			return -1;
		*count += (uint64_t)found;
	}
	return 0;
}

int tag_count_all(struct store *st, const struct name *n, uint64_t *count, struct err *e)
{
	return count_links(st, n, UINT64_MAX, count, e);
}

int tag_count(struct store *st, const struct name *n, uint64_t enough, uint64_t *count, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct stat sb;

	*count = 0;
	path_tags(&dir, n);
	if (os_fstatat(st->dirfd, dir.buf, &sb, 0) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", dir.buf);
	if (sb.st_nlink >= 2 && (uint64_t)sb.st_nlink - 2 <= enough && fs_counts_directories(st->dirfd)) {
		*count = (uint64_t)sb.st_nlink - 2;
		return 0;
	}
	if (os_dir_each(st->dirfd, dir.buf, DIR_DIRS, count_one, count) < 0 && !os_gone(errno))
		return err_sys(e, "cannot list %s", dir.buf);
	return *count > enough ? count_links(st, n, enough, count, e) : 0;
}
