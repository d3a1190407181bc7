/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearby: what is kept of the repositories used lately.
 *
 * Owns the open directories, and what is in memory. Invariant: whatever is kept was found under its name when the count of moves was
 * `moves`, and none went on when that count was seen.
 */
#include "store/nearby.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
#include "store/moves.h"
#include "store/recalled.h"
#include "store/store_path.h"

#define REPOSITORIES 64         /* with up to three directories each */
#define PARTS 3
#define PREFIXES 256            /* directories of content */

struct part {
	int fd;                 /* -1: not open */
	char *path;
};

struct nearby {
	int fd;                 /* of the file that tells of moves; -1 */
	bool known;
	uint64_t moves;
	uint64_t clock;
	struct place {
		uint64_t used;          /* by the clock; 0: the place is free */
		char *name;
		struct part parts[PARTS];
	} places[REPOSITORIES];
	struct part prefixes[PREFIXES];
	struct recalled recalled;
};

static void close_part(struct part *p)
{
	os_cleanup_fd(&p->fd);
	free(p->path);
	p->path = NULL;
}

static void leave(struct place *p)
{
	for (size_t i = 0; i < PARTS; i++)
		close_part(&p->parts[i]);
	free(p->name);
	p->name = NULL;
	p->used = 0;
}

static void forget(struct nearby *s)
{
	for (size_t i = 0; i < REPOSITORIES; i++)
		leave(&s->places[i]);
	recalled_forget(&s->recalled);
	s->known = false;
}

void nearby_start(struct store *st)
{
	struct nearby *s;

	if (!st->distant || st->nearby)
		return;
	s = st->nearby = xcalloc(1, sizeof(*s));
	s->fd = -1;
	for (size_t i = 0; i < REPOSITORIES; i++)
		for (size_t j = 0; j < PARTS; j++)
			s->places[i].parts[j].fd = -1;
	for (size_t i = 0; i < PREFIXES; i++)
		s->prefixes[i].fd = -1;
	recalled_begin(&s->recalled);
}

void nearby_stop(struct store *st)
{
	struct nearby *s = st->nearby;

	if (!s)
		return;
	forget(s);
	for (size_t i = 0; i < PREFIXES; i++)
		close_part(&s->prefixes[i]);
	os_cleanup_fd(&s->fd);
	free(s);
	st->nearby = NULL;
}

/* Whether nothing was moved since all that is kept was opened. */
static bool is_current(struct nearby *s)
{
	struct moves now;

	if (moves_look(s->fd, &now) < 0) {
		os_cleanup_fd(&s->fd);
		return false;
	}
	return now.count == s->moves;
}

/* Whether anything may be kept: from now on it counts as of this number of moves. */
static bool may_keep(struct nearby *s, struct store *st)
{
	struct moves now;

	if (s->known)
		return true;
	if (s->fd < 0)
		s->fd = moves_open(st);
	if (moves_look(s->fd, &now) < 0)
		os_cleanup_fd(&s->fd);
	else if (!now.going_on)
		s->known = true;
	s->moves = now.count;
	return s->known;
}

/* The place of a repository: its own, a free one, or that of the one that was not used for the longest time. */
static struct place *place_of(struct nearby *s, const struct name *n)
{
	struct place *oldest = &s->places[0];
	size_t i;

	for (i = 0; i < REPOSITORIES; i++) {
		struct place *p = &s->places[i];

		if (p->used && strcmp(p->name, n->s) == 0) {
			p->used = ++s->clock;
			return p;
		}
		if (p->used < oldest->used)
			oldest = p;
	}
	leave(oldest);
	oldest->name = xstrdup(n->s);
	oldest->used = ++s->clock;
	return oldest;
}

static void lend(struct nearby_look *l, size_t *count, struct part *p, const char *path)
{
	if (p->fd < 0) {
		p->fd = os_open(l->st->dirfd, path, O_PATH | O_DIRECTORY, 0);
		if (p->fd < 0)
			return;
		p->path = xstrdup(path);
	}
	l->lent[(*count)++] = (struct near_dir){ p->path, p->fd };
}

void nearby_begin(struct nearby_look *l, struct store *st, const struct name *n, unsigned parts, const struct digest *content)
{
	cleanup_str struct str path = STR_INIT;
	struct nearby *s = st->nearby;
	struct place *p;
	unsigned char first;
	size_t count = 0;

	*l = (struct nearby_look){ .st = st };
	if (!s || !may_keep(s, st))
		return;
	l->from = s;
	p = place_of(s, n);
	l->place = (size_t)(p - s->places);
	if (parts & NEARBY_TAGS) {
		path_tags(&path, n);
		lend(l, &count, &p->parts[0], path.buf);
	}
	if (parts & NEARBY_REVISIONS) {
		path_revisions(&path, n, DIGEST_SHA256);
		lend(l, &count, &p->parts[1], path.buf);
	}
	if (parts & NEARBY_LAYERS) {
		path_layers(&path, n, DIGEST_SHA256);
		lend(l, &count, &p->parts[2], path.buf);
	}
	if (content && content->alg == DIGEST_SHA256) {
		digest_bytes(content, &first, 1);
		path_blobs_part(&path, DIGEST_SHA256, first);
		lend(l, &count, &s->prefixes[first], path.buf);
	}
	near_lend(l->lent, count);
}

bool nearby_again(struct nearby_look *l, bool found)
{
	bool used;

	if (!l->from)
		return false;
	if (l->again) {
		/* It was there all the time: another directory has the name. */
		if (found && l->missed)
			leave(&l->from->places[l->place]);
		return false;
	}
	used = near_return();
	if (!used && !l->recalled)
		return false;
	if (found && is_current(l->from))
		return false;
	l->again = true;
	l->missed = !found;
	if (found)
		forget(l->from);
	return true;
}

bool nearby_recall(struct nearby_look *l, const struct digest *content, struct str *out)
{
	const struct str *bytes = l->from && !l->again ? recalled_get(&l->from->recalled, content) : NULL;

	if (!bytes)
		return false;
	str_add(out, bytes->buf, bytes->len);
	l->recalled = true;
	return true;
}

void nearby_remember(struct store *st, const struct digest *content, const char *bytes, size_t len)
{
	if (st->nearby && st->nearby->known)
		recalled_put(&st->nearby->recalled, content, bytes, len);
}
