/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_write: the base of a summary, and the lines of its tail.
 *
 * Owns the form of what is written. Invariant: before a change there is a line with a question mark in the file, or there is no file.
 */
#include "store/summary_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/believed.h"
#include "store/fence.h"

#define BLOCK_LEAST (32 * 1024)         /* bytes of a block of a run: what a page reads */
#define BLOCKS_MAX 512                  /* of a run, about: an index of so many entries is read for each page */

void summary_doubt(struct str *lines, const char *key, bool existed)
{
	str_addf(lines, "\n?%c %s ;\n", existed ? 'o' : 'n', key);
}

void summary_set(struct str *lines, const struct summary_row *row)
{
	str_puts(lines, "\n=");
	summary_add_row(lines, row);
	str_puts(lines, " ;\n");
}

void summary_gone(struct str *lines, const char *key)
{
	str_addf(lines, "\n-%s ;\n", key);
}

void summary_doubt_refer(struct str *lines, const struct digest *d)
{
	str_addf(lines, "\n@? %s ;\n", d ? d->text : "*");
}

void summary_refer(struct str *lines, const struct digest *d, unsigned kind)
{
	str_addf(lines, "\n@+%u %s ;\n", kind, d->text);
}

/* On a file system of several machines others go on in the epoch: what has a name there after a power cut has to be right. */
static int flush_name(struct store *st, const char *path)
{
	return store_flushes_index(st) ? store_flush_above(st, path, 1) : 0;
}

int summary_drop(struct store *st, const char *path, struct err *e)
{
	/* A directory may lie there, which nothing of ours has made. */
	if (os_unlinkat(st->dirfd, path, 0) < 0 && (errno != EISDIR || os_remove_tree(st->dirfd, path) < 0))
		return os_gone(errno) ? 0 : err_sys(e, "cannot remove %s", path);
	return flush_name(st, path) < 0 ? err_sys(e, "cannot flush the directory of %s", path) : 0;
}

int summary_begin(struct store *st, const char *path, const struct str *lines, struct summary_writer *w, struct err *e)
{
	*w = (struct summary_writer){ .st = st, .path = path };
	w->fd = os_open_file(st->dirfd, path, O_WRONLY | O_APPEND, 0);
	if (w->fd < 0 && os_gone(errno))
		return 0;
	if (w->fd >= 0 && os_write_full(w->fd, lines->buf, lines->len) == 0 && (!store_flushes_index(st) || store_flush_fd(st, w->fd) == 0))
		return 0;
	summary_leave(w);
	return summary_drop(st, path, e);
}

void summary_end(struct summary_writer *w, const struct str *lines)
{
	/* If this fails the first lines stay in force: whoever reads them looks at what they are about. */
	if (w->fd >= 0 && fence_holds(w->st, w->path))
		os_write_full(w->fd, lines->buf, lines->len);
	summary_leave(w);
}

void summary_leave(struct summary_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static int by_push(const void *a, const void *b)
{
	return summary_cmp(SUMMARY_BY_PUSH, a, b);
}

/* The rows of a run, and the index of its blocks. */
static void add_run(const struct summary_row *rows, size_t count, uint64_t block, struct str *index, struct str *run)
{
	uint64_t begun = 0;

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || run->len - begun >= block) {
			begun = run->len;
			str_addf(index, "%016" PRIx64 " %016" PRIx64 " %.*s\n", begun, rows[i].pushed, (int)rows[i].key_len, rows[i].key);
		}
		summary_add_row(run, &rows[i]);
		str_addc(run, '\n');
	}
}

int summary_build_noted(struct store *st, const char *path, const struct summary_row *rows, size_t count, const char *note, struct err *e)
{
	cleanup_free struct summary_row *pushed = xcalloc(count + 1, sizeof(*pushed));
	struct str index[2] = { STR_INIT, STR_INIT }, run[2] = { STR_INIT, STR_INIT };
	cleanup_str struct str text = STR_INIT;
	uint64_t block = BLOCK_LEAST, sum = 0;
	size_t i;
	char mark[BELIEVED_LEN + 1];
	int rc = believed_begin(st, mark, e);

	if (rc <= 0)
		return rc;
	rc = 0;
	for (i = 0; i < count; i++) {
		sum += rows[i].key_len + rows[i].digest_len + rows[i].text_len + 30;
		pushed[i] = rows[i];
	}
	if (sum / BLOCKS_MAX > block)
		block = sum / BLOCKS_MAX;
	if (count)
		qsort(pushed, count, sizeof(*pushed), by_push);
	add_run(rows, count, block, &index[0], &run[0]);
	add_run(pushed, count, block, &index[1], &run[1]);
	str_addf(&text, "berth-summary 1 %s %016zx %016zx %016zx %016zx\n", mark, count, index[0].len, index[1].len, run[0].len);
	for (i = 0; i < 2; i++)
		str_add(&text, index[i].buf, index[i].len);
	for (i = 0; i < 2; i++)
		str_add(&text, run[i].buf, run[i].len);
	str_puts(&text, note);
	if (fence_replace(st, path, text.buf, text.len, store_flushes_index(st)) < 0 || flush_name(st, path) < 0)
		rc = err_sys(e, "cannot write %s", path);
	for (i = 0; i < 2; i++) {
		str_release(&index[i]);
		str_release(&run[i]);
	}
	return rc;
}

int summary_build(struct store *st, const char *path, const struct summary_row *rows, size_t count, struct err *e)
{
	return summary_build_noted(st, path, rows, count, "", e);
}
