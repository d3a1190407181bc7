/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary: opening the file.
 *
 * Owns what it has read of a file. Invariant: a file with another mark than that in force, or one that is shorter than its head says, is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"
#include "store/summary_own.h"

#define FIRST (64 * 1024)               /* bytes that are read at first: of a small file all */
#define FILE_MAX (UINT64_C(1) << 40)
#define TAIL_MAX (1u << 20)             /* of a longer tail something is wrong: it is written anew long before */
#define TAIL_STEP (128 * 1024)

void summary_close(struct summary *s)
{
	if (s->fd >= 0)
		close(s->fd);
	str_release(&s->head);
	str_release(&s->tail);
	str_release(&s->block);
	str_release(&s->settled);
	names_release(&s->doubted);
	free(s->v);
	free(s->refers);
	free(s->notes);
	*s = (struct summary)SUMMARY_INIT;
}

int summary_read_at(const struct summary *s, uint64_t from, size_t len, struct str *out)
{
	char *room = str_room(out, len);
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(s->fd, room + got, len - got, (off_t)(from + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		got += (size_t)n;
		if (n == 0 || got < len)        /* the end: a file that grows is read up to here */
			break;
	}
	str_grown(out, got);
	return 0;
}

bool summary_number(const char *at, uint64_t *out)
{
	return str_parse_hex(at, SUMMARY_HEX, out) == 0 && *out < FILE_MAX;
}

bool summary_head(const char *head, size_t len, struct summary *s)
{
	const char *p = head + sizeof(SUMMARY_HEAD_WORD) - 1 + BELIEVED_LEN;

	return len >= SUMMARY_HEAD_LEN && memcmp(head, SUMMARY_HEAD_WORD, sizeof(SUMMARY_HEAD_WORD) - 1) == 0 && p[0] == ' ' &&
	       summary_number(p + 1, &s->count) && p[17] == ' ' && summary_number(p + 18, &s->index_len[0]) && p[34] == ' ' &&
	       summary_number(p + 35, &s->index_len[1]) && p[51] == ' ' && summary_number(p + 52, &s->run_len) && p[68] == '\n' &&
	       s->index_len[0] <= SUMMARY_INDEX_MAX && s->index_len[1] <= SUMMARY_INDEX_MAX;
}

static bool has_mark(const struct summary *s, const char *mark)
{
	return memcmp(s->head.buf + sizeof(SUMMARY_HEAD_WORD) - 1, mark, BELIEVED_LEN) == 0;
}

uint64_t summary_tail_at(const struct summary *s)
{
	return SUMMARY_HEAD_LEN + s->index_len[0] + s->index_len[1] + 2 * s->run_len;
}

/* What was read at first may be the whole file. */
static int read_tail(struct summary *s)
{
	uint64_t at = summary_tail_at(s);
	size_t before;

	if (s->head.len < FIRST) {
		if (s->head.len < at) {
			errno = EUCLEAN;
			return -1;
		}
		str_add(&s->tail, s->head.buf + at, s->head.len - (size_t)at);
		return 0;
	}
	do {
		before = s->tail.len;
		if (summary_read_at(s, at + before, TAIL_STEP, &s->tail) < 0)
			return -1;
	} while (s->tail.len - before == TAIL_STEP && s->tail.len <= TAIL_MAX);
	if (s->tail.len <= TAIL_MAX)
		return 0;
	errno = EUCLEAN;
	return -1;
}

static int read_indexes(struct summary *s)
{
	uint64_t need = SUMMARY_HEAD_LEN + s->index_len[0] + s->index_len[1];

	if (s->head.len < need && s->head.len >= FIRST && summary_read_at(s, s->head.len, (size_t)(need - s->head.len), &s->head) < 0)
		return -1;
	if (s->head.len >= need)
		return 0;
	errno = EUCLEAN;
	return -1;
}

static int open_any(struct store *st, const char *path, bool old, struct summary *s, struct err *e)
{
	char mark[BELIEVED_LEN + 1] = "";
	int rc = old ? 1 : believed_read(st, mark, e);

	if (rc <= 0)
		return rc;
	s->fd = os_open_file(st->dirfd, path, O_RDONLY, 0);
	if (s->fd < 0)
		return os_gone(errno) || errno == EUCLEAN ? 0 : err_sys(e, "cannot open %s", path);
	if (summary_read_at(s, 0, FIRST, &s->head) < 0)
		return errno == EISDIR || errno == ESPIPE ? 0 : err_sys(e, "cannot read %s", path);
	if (!summary_head(s->head.buf, s->head.len, s) || (!old && !has_mark(s, mark)))
		return 0;
	if (read_indexes(s) < 0 || read_tail(s) < 0)
		return errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", path);
	summary_parse_tail(s);
	return 1;
}

int summary_open(struct store *st, const char *path, struct summary *s, struct err *e)
{
	return open_any(st, path, false, s, e);
}

int summary_open_old(struct store *st, const char *path, struct summary *s, struct err *e)
{
	return open_any(st, path, true, s, e);
}
