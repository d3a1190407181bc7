/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taglist: the file of a repository's tags.
 *
 * Owns berth/index/<name>/_list. Its first line is "<epoch> <stamp> <checksum>", each further line a tag. Knows nothing of how tags
 * are found. What it remembers of a file counts while that very file is there, which is looked at each time.
 */
#include "store/taglist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "store/fence.h"
#include "store/store_path.h"

#define NSEC INT64_C(1000000000)
#define TICK (20 * 1000 * 1000)         /* nanoseconds: the clock of a local file system may lag by 10 ms; others may count whole seconds (FIRM) */
#define SUM_LEN 16
#define HEAD_LEN (STORE_EPOCH_LEN + 1 + sizeof(((struct taglist_stamp *)0)->text) - 1 + SUM_LEN + 1)
#define SUMMED_LEN (HEAD_LEN - SUM_LEN - 1)     /* the first line up to its checksum */
#define REMEMBERED 32                   /* lists */
#define REMEMBERED_MAX 4096             /* bytes of one */
#define FIRM (3 * NSEC / 2)             /* what is older than that has times that no later file gets, also where times are whole seconds */
#define FILE_MAX (HEAD_LEN + TAGLIST_TAGS * (TAG_MAX_LEN + 1))

/*
 * Files of lists that this process has read. A list is never written in place: so a file of the same number and times is the
 * same list, if it was old enough when it was read that no other one can get these times.
 */
static struct remembered {
	struct name name;
	char *text;             /* NULL: only the name is known; a list that is asked for once is not worth more */
	size_t len;
	struct statx file;
} memory[REMEMBERED];

/* 16 hex digits. */
static void put_hex(char *at, uint64_t v)
{
	int i;

	for (i = 15; i >= 0; i--, v >>= 4)
		at[i] = "0123456789abcdef"[v & 15];
}

/*
 * Against what the death of another machine may leave of a file that it has just written: FNV-1a, which is enough for that. Whoever
 * may write here needs no collision.
 */
static uint64_t sum(const char *s, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (len-- > 0)
		h = (h ^ (unsigned char)*s++) * UINT64_C(0x100000001b3);
	return h;
}

int taglist_look(struct store *st, const struct name *n, struct taglist_stamp *now, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int64_t changed, named;
	struct timespec ts;
	struct statx sx;

	path_tags(&path, n);
	if (os_statx(st->dirfd, path.buf, AT_STATX_FORCE_SYNC, STATX_TYPE | STATX_INO | STATX_MTIME | STATX_CTIME, &sx) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
	if (!S_ISDIR(sx.stx_mode))
		return 0;
	named = sx.stx_mtime.tv_sec * NSEC + sx.stx_mtime.tv_nsec;
	changed = sx.stx_ctime.tv_sec * NSEC + sx.stx_ctime.tv_nsec;
	put_hex(now->text, sx.stx_ino);
	put_hex(now->text + 17, (uint64_t)named);
	put_hex(now->text + 34, (uint64_t)changed);
	now->text[16] = now->text[33] = now->text[50] = ' ';
	now->text[51] = '\0';
	clock_gettime(CLOCK_REALTIME, &ts);
	now->settled = ts.tv_sec * NSEC + ts.tv_nsec - changed > (st->local ? TICK : FIRM);
	return 1;
}

static void put_head(const struct store *st, const struct taglist_stamp *stamp, const char *tags, size_t len, char *out)
{
	memcpy(out, st->epoch, STORE_EPOCH_LEN);
	out[STORE_EPOCH_LEN] = ' ';
	out += STORE_EPOCH_LEN + 1;
	memcpy(out, stamp->text, sizeof(stamp->text) - 1);
	out += sizeof(stamp->text) - 1;
	put_hex(out, sum(tags, len));
	out[SUM_LEN] = '\n';
}

static int look_at(int dirfd, const char *path, int flags, struct statx *sx)
{
	return os_statx(dirfd, path, flags | AT_STATX_FORCE_SYNC, STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME, sx);
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_size == b->stx_size && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor && same_time(&a->stx_ctime, &b->stx_ctime) && same_time(&a->stx_mtime, &b->stx_mtime);
}

static void forget(struct remembered *r)
{
	free(r->text);
	r->text = NULL;
}

/* Whether the list that is remembered is the file of now. If not, it is forgotten. */
static bool recall(struct store *st, struct remembered *r, const char *path)
{
	struct statx sx;

	if (!r->text)
		return false;
	if (look_at(st->dirfd, path, AT_SYMLINK_NOFOLLOW, &sx) == 0 && same_file(&sx, &r->file))
		return true;
	forget(r);
	return false;
}

/*
 * Of a list that has just been read: the first time its name, the second time its text. Another machine's clock gives the
 * times of a file system that is not local, and its cache may show them late: there nothing is remembered.
 */
static void remember(struct store *st, struct remembered *r, const struct name *n, bool known, int fd, const char *text, size_t len)
{
	struct timespec now;

	if (!st->local || len > REMEMBERED_MAX)
		return;
	if (!known) {
		forget(r);
		r->name = *n;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	if (look_at(fd, "", AT_EMPTY_PATH, &r->file) < 0 || r->file.stx_size != len ||
	    now.tv_sec * NSEC + now.tv_nsec - (r->file.stx_ctime.tv_sec * NSEC + r->file.stx_ctime.tv_nsec) <= FIRM)
		return;
	r->text = xrealloc(NULL, len);
	r->len = len;
	memcpy(r->text, text, len);
}

bool taglist_read(struct store *st, const struct name *n, const struct taglist_stamp *now, const char **lines, size_t *len)
{
	static char text[FILE_MAX + 1];
	struct remembered *r = &memory[sum(n->s, n->len) % REMEMBERED];
	bool known = r->name.len == n->len && memcmp(r->name.s, n->s, n->len) == 0;
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	char head[HEAD_LEN];
	ssize_t got;

	*lines = "";
	*len = 0;
	if (!*st->epoch)
		return false;
	path_index_file(&path, n, STORE_INDEX_LIST);
	if (known && recall(st, r, path.buf)) {
		put_head(st, now, NULL, 0, head);
		*lines = r->text + HEAD_LEN;
		*len = r->len - HEAD_LEN;
		return memcmp(head, r->text, SUMMED_LEN) == 0;
	}
	fd = os_open_file(st->dirfd, path.buf, O_RDONLY, 0);
	if (fd < 0)
		return false;
	/* A file is read at once. What is not, or cannot be read, does not count. */
	got = read(fd, text, sizeof(text));
	if (got < (ssize_t)HEAD_LEN || (size_t)got == sizeof(text))
		return false;
	put_head(st, now, text + HEAD_LEN, (size_t)got - HEAD_LEN, head);
	if (memcmp(head, text, HEAD_LEN) != 0)
		return false;
	remember(st, r, n, known, fd, text, (size_t)got);
	*lines = text + HEAD_LEN;
	*len = (size_t)got - HEAD_LEN;
	return true;
}

void taglist_keep(struct store *st, const struct name *n, const struct taglist_stamp *then, const struct str *lines)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;

	if (!then->settled || !*st->epoch || lines->len > FILE_MAX - HEAD_LEN)
		return;
	str_grown(&text, str_room(&text, HEAD_LEN) ? HEAD_LEN : 0);
	str_add(&text, lines->buf, lines->len);
	put_head(st, then, text.buf + HEAD_LEN, text.len - HEAD_LEN, text.buf);
	path_index_file(&path, n, STORE_INDEX_LIST);
	fence_replace(st, path.buf, text.buf, text.len, false);
}

int taglist_drop(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_index_file(&path, n, STORE_INDEX_LIST);
	/* A directory in its place is no list. */
	if (os_unlinkat(st->dirfd, path.buf, 0) < 0 && !os_gone(errno) && errno != EISDIR)
		return err_sys(e, "cannot remove %s", path.buf);
	return 0;
}
