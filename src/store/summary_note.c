/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_note: lines that are appended to a summary beside its rows.
 *
 * Owns no state. Invariant: a note is one write of whole lines, the first of which begins with a newline.
 */
#include "store/summary_note.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "store/summary_own.h"

#define CARRY_MAX (1u << 20)    /* bytes that are read of what was noted meanwhile */

bool summary_notes_pulls(const struct store *st)
{
	return st->local;
}

void summary_add_note(struct str *lines, char kind, uint64_t value, const char *of)
{
	str_addf(lines, "\n!%c %016" PRIx64 " %s ;\n", kind, value, of);
}

/* Whether the tail of an open file has room for pulls; sb: what fstat says of it. */
static bool has_room(int fd, const struct stat *sb)
{
	char head[SUMMARY_HEAD_LEN];
	struct summary s = SUMMARY_INIT;
	ssize_t n = pread(fd, head, sizeof(head), 0);

	/* An empty one is being written. */
	if (n < 0 || !S_ISREG(sb->st_mode))
		return false;
	if (!summary_head(head, (size_t)n, &s))
		return sb->st_size < SUMMARY_PULLS_MAX;
	return (uint64_t)sb->st_size < summary_tail_at(&s) + SUMMARY_PULLS_MAX;
}

void summary_note_pull(struct store *st, const char *path, const char *key, int64_t when)
{
	cleanup_str struct str line = STR_INIT;
	cleanup_fd int fd = -1;
	struct stat sb;

	if (!summary_notes_pulls(st) || when < 0)
		return;
	fd = os_open_look(st->dirfd, path, O_RDWR | O_APPEND, &sb);
	if (fd < 0 || !has_room(fd, &sb))
		return;
	summary_add_note(&line, SUMMARY_PULLED, (uint64_t)when, key);
	os_write_full(fd, line.buf, line.len);
}

void summary_note_lines(struct store *st, const char *path, const struct str *lines)
{
	cleanup_fd int fd = os_open_file(st->dirfd, path, O_WRONLY | O_APPEND, 0);

	if (fd >= 0)
		os_write_full(fd, lines->buf, lines->len);
}

void summary_carry_begin(struct store *st, const char *path, bool make, struct summary_carry *c)
{
	struct stat sb;

	*c = (struct summary_carry){ .fd = -1 };
	if (!summary_notes_pulls(st))
		return;
	c->fd = os_open_look(st->dirfd, path, O_RDONLY, &sb);
	if (c->fd < 0 && make)
		c->fd = os_open_look(st->dirfd, path, O_RDWR | O_CREAT, &sb);
	if (c->fd >= 0 && S_ISREG(sb.st_mode))
		c->from = (uint64_t)sb.st_size;
	else
		summary_carry_leave(c);
}

/* The notes of pulls among lines. */
static void pick(const struct str *read, struct str *lines)
{
	const char *p = read->buf, *end = p + read->len, *eol;

	for (; (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1)
		if (eol - p > 5 && p[0] == '!' && p[1] == SUMMARY_PULLED && eol[-1] == ';') {
			str_addc(lines, '\n');
			str_add(lines, p, (size_t)(eol + 1 - p));
		}
}

void summary_carry_end(struct store *st, const char *path, struct summary_carry *c)
{
	cleanup_str struct str read = STR_INIT, lines = STR_INIT;
	struct summary s = { .fd = c->fd };

	if (c->fd >= 0 && summary_read_at(&s, c->from, CARRY_MAX, &read) == 0)
		pick(&read, &lines);
	if (lines.len)
		summary_note_lines(st, path, &lines);
	summary_carry_leave(c);
}

void summary_carry_leave(struct summary_carry *c)
{
	os_cleanup_fd(&c->fd);
}
