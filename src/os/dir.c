/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dir: directory listings.
 *
 * Owns nothing; the caller releases the lists. Does not know what the names mean.
 */
#include "os/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"

void names_release(struct names *n)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		free(n->v[i]);
	free(n->v);
	*n = (struct names)NAMES_INIT;
}

void names_add(struct names *n, const char *s, size_t len)
{
	if (n->count == n->cap) {
		n->cap = n->cap ? n->cap * 2 : 16;
		n->v = xreallocarray(n->v, n->cap, sizeof(*n->v));
	}
	n->v[n->count++] = xstrndup(s, len);
}

void names_drop(struct names *n, size_t count)
{
	if (!count)
		return;
	for (size_t i = 0; i < count; i++)
		free(n->v[i]);
	n->count -= count;
	memmove(n->v, n->v + count, n->count * sizeof(*n->v));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(struct names *n)
{
	if (n->count > 1)
		qsort(n->v, n->count, sizeof(*n->v), compare);
}

/*
 * Some file systems do not return the type of an entry. A link to a directory counts as one, because berth serves what is
 * below it.
 */
static bool is_dir(int fd, const struct dirent64 *d)
{
	struct stat sb;

	if (d->d_type != DT_UNKNOWN && d->d_type != DT_LNK)
		return d->d_type == DT_DIR;
	return os_fstatat(fd, d->d_name, &sb, 0) == 0 && S_ISDIR(sb.st_mode);
}

static bool is_wanted(int fd, const struct dirent64 *d, enum dir_filter filter)
{
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return false;
	return filter == DIR_ALL || is_dir(fd, d);
}

/*
 * Reads from the current position to the end. A collection lists thousands of small directories, so this needs no other
 * system calls; readdir(3) would.
 */
static int read_rest(int fd, enum dir_filter filter, dir_visit *visit, void *arg, bool *visited)
{
	_Alignas(struct dirent64) char buf[32 * 1024];

	for (;;) {
		ssize_t n = getdents64(fd, buf, sizeof(buf)), at = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		while (at < n) {
			const struct dirent64 *d = (const void *)(buf + at);

			if (is_wanted(fd, d, filter)) {
				*visited = true;
				visit(arg, d->d_name, strlen(d->d_name));
			}
			at += d->d_reclen;
		}
	}
}

static void add(void *arg, const char *name, size_t len)
{
	names_add(arg, name, len);
}

static int each_once(int dirfd, const char *path, enum dir_filter filter, dir_visit *visit, void *arg, bool *visited)
{
	cleanup_fd int fd = os_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);

	*visited = false;
	return fd < 0 ? -1 : read_rest(fd, filter, visit, arg, visited);
}

/* Once names have been visited there is no way back: a directory that is stale then is an error. */
int os_dir_each(int dirfd, const char *path, enum dir_filter filter, dir_visit *visit, void *arg)
{
	unsigned tries = 0;
	bool visited;

	while (each_once(dirfd, path, filter, visit, arg, &visited) < 0) {
		if (visited || !os_again(errno, &tries))
			return -1;
	}
	return 0;
}

int os_dir_read(int fd, enum dir_filter filter, struct names *out)
{
	size_t before = out->count;
	bool visited;

	if (lseek(fd, 0, SEEK_SET) == 0 && read_rest(fd, filter, add, out, &visited) == 0)
		return 0;
	while (out->count > before)
		free(out->v[--out->count]);
	return -1;
}

int os_dir_list(int dirfd, const char *path, enum dir_filter filter, struct names *out)
{
	size_t before = out->count;
	unsigned tries = 0;
	bool visited;

	while (each_once(dirfd, path, filter, add, out, &visited) < 0) {
		while (out->count > before)
			free(out->v[--out->count]);
		if (!os_again(errno, &tries))
			return -1;
	}
	names_sort(out);
	return 0;
}

struct page {
	const char *after;
	size_t max;
	struct names *out;
	const char *beyond;     /* the greatest of `max` names that were found: a greater one is not on the page; NULL: fewer were found */
};

static void cut(struct page *p)
{
	names_sort(p->out);
	while (p->out->count > p->max)
		free(p->out->v[--p->out->count]);
	if (p->out->count == p->max)
		p->beyond = p->out->v[p->max - 1];
}

static void add_to_page(void *arg, const char *name, size_t len)
{
	struct page *p = arg;

	if (strcmp(name, p->after) <= 0 || (p->beyond && strcmp(name, p->beyond) > 0))
		return;
	names_add(p->out, name, len);
	if (p->out->count >= 2 * p->max)
		cut(p);
}

int os_dir_page(int dirfd, const char *path, const char *after, size_t max, struct names *out)
{
	struct page p = { .after = after, .max = max, .out = out };
	unsigned tries = 0;
	bool visited;

	while (each_once(dirfd, path, DIR_ALL, add_to_page, &p, &visited) < 0) {
		names_drop(out, out->count);
		p.beyond = NULL;
		if (!os_again(errno, &tries))
			return -1;
	}
	cut(&p);
	return 0;
}
