/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readers: reads, writes and removes the files of endpoints.
 *
 * Owns the names in berth/journal/readers/. Invariant: a state never says more than what is settled, whenever the power goes. The first one is
 * flushed. Later ones may be lost, the newest first; what remains is a whole state, or one that cannot be read.
 */
#include "relay/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "os/again.h"
#include "os/file.h"

#define TEMPORARY "relay-"     /* NAME.tmp */
#define ASK_MAX 4096
#define ASK_PATIENCE 10         /* seconds after which a request that cannot be read is removed */

static const char *const suffixes[] = { ".ask", ".dead", ".dead~" };

/* No endpoint has such a name: see endpoint_name_ok(). */
static bool is_temporary(const char *file)
{
	size_t len = strlen(file);

	return strncmp(file, TEMPORARY, strlen(TEMPORARY)) == 0 && len > 4 && strcmp(file + len - 4, ".tmp") == 0;
}

static void set_path(struct str *out, const char *before, const char *name, const char *after)
{
	str_reset(out);
	str_addf(out, "%s/%s%s%s", READERS_DIR, before, name, after);
}

/* A small file, whole: 1 and its length; 0 if there is none; -1. One that has no room in `size` bytes is longer than `size`. */
static int read_small(int dirfd, const char *name, const char *after, char *text, size_t size, size_t *len)
{
	cleanup_str struct str path = STR_INIT;
	ssize_t n;

	set_path(&path, "", name, after);
	n = os_read_file(dirfd, path.buf, text, size);
	*len = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return os_gone(errno) ? 0 : -1;
	return 1;
}

int readers_load(int dirfd, const char *name, struct hook_state *out)
{
	char text[HOOK_STATE_MAX];
	size_t len;
	int found = read_small(dirfd, name, "", text, sizeof(text), &len);

	memset(out, 0, sizeof(*out));
	if (found <= 0)
		return found;
	if (len <= sizeof(text) && hook_state_parse(out, text, len) == 0)
		return 1;
	memset(out, 0, sizeof(*out));
	errno = EUCLEAN;
	return -1;
}

/*
 * The bytes are written out before the rename. On a file system whose changes become durable in their order (os/fs.h) that is as good as a flush,
 * without its cost; on another one a power cut may leave what is no state. Then everything that the journal has is delivered again.
 */
static int write_state(int dirfd, const char *path, const struct str *text, bool flush)
{
	cleanup_fd int fd = os_open_file(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || os_write_full(fd, text->buf, text->len) < 0)
		return -1;
	return flush ? os_fsync(fd) : os_write_out(fd);
}

int readers_save(int dirfd, const char *name, const struct hook_state *s, bool first)
{
	cleanup_str struct str text = STR_INIT, to = STR_INIT, path = STR_INIT;

	hook_state_add(&text, s);
	set_path(&path, TEMPORARY, name, ".tmp");
	set_path(&to, "", name, "");
	if (write_state(dirfd, path.buf, &text, first) < 0 || os_renameat(dirfd, path.buf, dirfd, to.buf) < 0) {
		int saved = errno;

		os_unlinkat(dirfd, path.buf, 0);
		errno = saved;
		return -1;
	}
	return first ? os_fsync_above(dirfd, to.buf, 2) : 0;
}

/* A member of the request, if it fits. */
static bool text_of(struct json_view o, const char *key, char *out, size_t size)
{
	cleanup_str struct str text = STR_INIT;
	struct json_view v = json_view_get(o, key);

	out[0] = '\0';
	if (v.kind == JSON_ABSENT)
		return true;
	if (v.kind != JSON_STRING)
		return false;
	json_view_text(v, &text);
	if (text.len >= size || strlen(text.buf) != text.len)
		return false;
	memcpy(out, text.buf, text.len + 1);
	return true;
}

static bool parse_ask(const char *text, size_t len, struct readers_ask *out)
{
	struct json_fault f;
	struct json_view o;
	char what[16];

	if (json_check(text, len, &f) < 0)
		return false;
	o = json_view_of(text, len);
	if (o.kind != JSON_OBJECT || !text_of(o, "id", out->id, sizeof(out->id)) || !out->id[0] || !text_of(o, "what", what, sizeof(what)) ||
	    !text_of(o, "from", out->from, sizeof(out->from)))
		return false;
	out->what = strcmp(what, "test") == 0 ? READERS_TEST : strcmp(what, "replay") == 0 ? READERS_REPLAY :
		    strcmp(what, "drop") == 0 ? READERS_DROP : READERS_OTHER;
	return true;
}

int readers_ask(int dirfd, const char *name, struct readers_ask *out)
{
	cleanup_str struct str path = STR_INIT;
	char text[ASK_MAX];
	int64_t when;
	uint64_t size;
	size_t len;
	int found = read_small(dirfd, name, ".ask", text, sizeof(text), &len);

	memset(out, 0, sizeof(*out));
	if (found <= 0)
		return found;
	if (len <= sizeof(text) && parse_ask(text, len, out))
		return 1;
	/* Somebody may just be writing it. */
	memset(out, 0, sizeof(*out));
	set_path(&path, "", name, ".ask");
	if (os_age(dirfd, path.buf, &when, &size) == 0 && when + ASK_PATIENCE < (int64_t)time(NULL))
		os_unlinkat(dirfd, path.buf, 0);
	return 0;
}

void readers_asked(int dirfd, const char *name)
{
	cleanup_str struct str path = STR_INIT;

	set_path(&path, "", name, ".ask");
	os_unlinkat(dirfd, path.buf, 0);
}

/* The next file begins: what is in this one is counted on soon, and readers_buried() will not look at it any more. */
static int put_aside(int dirfd, const char *name, const char *path)
{
	cleanup_str struct str old = STR_INIT;

	set_path(&old, "", name, ".dead~");
	return readers_buried(dirfd, name) < 0 || os_renameat(dirfd, path, dirfd, old.buf) < 0 ? -1 : 0;
}

int readers_bury(int dirfd, const char *name, const struct str *line)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	int64_t when;
	uint64_t size;
	int saved;

	set_path(&path, "", name, ".dead");
	if (os_age(dirfd, path.buf, &when, &size) == 0 && size + line->len > READERS_DEAD_MAX && put_aside(dirfd, name, path.buf) < 0)
		return -1;
	fd = os_open_file(dirfd, path.buf, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0 || os_age(dirfd, path.buf, &when, &size) < 0)
		return -1;
	if (os_write_full(fd, line->buf, line->len) == 0)
		return 0;
	/* Not half of a line: what has no room is tried again. */
	saved = errno;
	if (ftruncate(fd, (off_t)size) == 0)
		errno = saved;
	return -1;
}

int readers_buried(int dirfd, const char *name)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;

	set_path(&path, "", name, ".dead");
	fd = os_open_file(dirfd, path.buf, O_WRONLY, 0);
	return fd < 0 || os_write_out(fd) < 0 ? -1 : 0;
}

static bool is_of(const char *file, const char *name)
{
	size_t len = strlen(name), i;

	if (strncmp(file, name, len) != 0)
		return false;
	for (i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (strcmp(file + len, suffixes[i]) == 0)
			return true;
	return !file[len];
}

static bool is_configured(const char *file, const struct config_endpoint *endpoints, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (is_of(file, endpoints[i].name))
			return true;
	return false;
}

int readers_tend(int dirfd, const struct config_endpoint *endpoints, size_t count)
{
	cleanup_names struct names files = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	int64_t when, now = (int64_t)time(NULL);
	uint64_t size;
	size_t i;

	if (os_dir_list(dirfd, READERS_DIR, DIR_ALL, &files) < 0)
		return -1;
	for (i = 0; i < files.count; i++) {
		const char *file = files.v[i];

		set_path(&path, "", file, "");
		if (strcmp(file, "lock") == 0)
			continue;
		if (!is_temporary(file) && is_configured(file, endpoints, count))
			os_utimensat(dirfd, path.buf, NULL, AT_SYMLINK_NOFOLLOW);
		else if (is_temporary(file) || (os_age(dirfd, path.buf, &when, &size) == 0 && when + READERS_GRACE < now))
			os_unlinkat(dirfd, path.buf, 0);
	}
	return 0;
}
