/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_pending: a list of digests on disk.
 *
 * Owns berth/mirror/_pending. One eviction runs at a time, so it needs no lock.
 */
#include "care/evict_pending.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "os/again.h"
#include "os/file.h"
#include "store/store_path.h"

static void add_lines(const struct str *text, struct digest_list *out)
{
	const char *at = text->buf, *end = at + text->len, *next;
	struct digest d;

	for (; at < end; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		if (!next)
			return;
		if (digest_parse(&d, at, (size_t)(next - at)) == 0)
			digest_list_add(out, &d);
	}
}

int evict_pending_read(struct store *st, struct digest_list *out, struct err *e)
{
	cleanup_fd int fd = os_open_file(st->dirfd, STORE_MIRROR_PENDING_FILE, O_RDONLY, 0);
	cleanup_str struct str text = STR_INIT;

	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", STORE_MIRROR_PENDING_FILE);
	if (os_read_str(fd, EVICT_PENDING_MAX, &text) < 0)
		return err_sys(e, "cannot read %s", STORE_MIRROR_PENDING_FILE);
	if (text.len)
		add_lines(&text, out);
	return 0;
}

int evict_pending_write(struct store *st, const struct digest_list *list, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (!list->count) {
		evict_pending_clear(st);
		return 0;
	}
	for (size_t i = 0; i < list->count && text.len + sizeof(list->v[i].text) <= EVICT_PENDING_MAX; i++)
		str_addf(&text, "%s\n", list->v[i].text);
	if (store_replace(st, STORE_MIRROR_PENDING_FILE, text.buf, text.len, true) == 0 && store_flush_above(st, STORE_MIRROR_PENDING_FILE, 1) == 0)
		return 0;
	return errno == ENOSPC || errno == EDQUOT ? 0 : err_sys(e, "cannot write %s", STORE_MIRROR_PENDING_FILE);
}

void evict_pending_clear(struct store *st)
{
	os_unlinkat(st->dirfd, STORE_MIRROR_PENDING_FILE, 0);
}
