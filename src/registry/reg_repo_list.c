/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_repo_list: keeping the list of repositories.
 *
 * Owns berth/index/_repos. Its tail has one line, "#PLACE SECONDS NAME... ;": up to which place of the log of changes it is right, but for
 * repositories that were about to change then; and when sizes were measured. Knows nothing of HTTP or users.
 */
#include "registry/reg_repo_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/file.h"
#include "registry/reg_sizes.h"
#include "registry/reg_summary.h"
#include "store/believed.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/store_path.h"
#include "store/summary_write.h"
#include "store/tag.h"
#include "store/touched.h"

#define CHANGED_MANY 32         /* repositories that have changed, from which on the list is written anew */
#define LINKS 10000             /* tags that are counted by their links when the list is written: seven system calls each */
#define RECENT (64 * 1024)      /* bytes of the log that are read for changes that are under way */
#define DIGEST "-"              /* a repository has none */

/* "tTAGS nNEWEST oOWN sSHARED" */
static void add_note(struct str *line, const struct repo_note *note)
{
	cleanup_str struct str text = STR_INIT;
	struct summary_row row = {
		.pushed = note->pushed, .key = note->name.s, .key_len = note->name.len, .digest = DIGEST, .digest_len = strlen(DIGEST),
	};

	if (note->counted)
		str_addf(&text, "t%" PRIu64 " ", note->tags);
	if (note->newest.len)
		str_addf(&text, "n%s ", note->newest.s);
	if (note->sized)
		str_addf(&text, "o%" PRIu64 " s%" PRIu64 " ", note->own, note->shared);
	row.text = text.buf;
	row.text_len = text.len;
	summary_add_row(line, &row);
}

static bool take(struct repo_note *note, const char *w, size_t len)
{
	uint64_t *out = *w == 't' ? &note->tags : *w == 'o' ? &note->own : *w == 's' ? &note->shared : NULL;

	if (*w == 'n')
		return tag_parse(&note->newest, w + 1, len - 1) == 0;
	if (!out || str_parse_u64(w + 1, len - 1, out) < 0)
		return false;
	note->counted |= *w == 't';
	note->sized |= *w == 's';
	return true;
}

int repo_note_parse(struct repo_note *note, const struct summary_row *row)
{
	const char *p = row->text, *end = p + row->text_len;

	*note = (struct repo_note){ .pushed = row->pushed };
	if (name_parse(&note->name, row->key, row->key_len) < 0)
		return -1;
	while (p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p)), *stop = blank ? blank : end;

		if (stop > p && !take(note, p, (size_t)(stop - p)))
			return -1;
		p = stop + 1;
	}
	return 0;
}

static int take_newest(void *arg, const struct summary_row *from, struct err *e)
{
	struct repo_note *note = arg;

	(void)e;
	if (tag_parse(&note->newest, from->key, from->key_len) == 0)
		note->pushed = from->pushed;
	return 1;
}

/* What a summary of tags says: 1, -1 with *e. */
static int by_summary(struct summary *s, struct repo_note *note, struct err *e)
{
	note->tags = summary_count(s);
	note->counted = true;
	return summary_walk(s, SUMMARY_BY_PUSH, true, NULL, take_newest, note, e) < 0 ? -1 : 1;
}

static int not_known(void *arg, const char *key, size_t len, struct str *line, struct err *e)
{
	(void)arg, (void)key, (void)len, (void)line, (void)e;
	return 0;
}

/* By the links of all tags, or by the summary of an older epoch; of a repository that has too many and none nothing is said. */
static int by_links(struct registry *r, struct repo_note *note, size_t *links, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_summary struct summary s = SUMMARY_INIT;
	cleanup_str struct str path = STR_INIT;
	int rc;

	if (tag_names(r->st, &note->name, &all, e) < 0)
		return -1;
	if (all.count > *links) {
		path_index_file(&path, &note->name, STORE_INDEX_SUMMARY);
		rc = summary_open_old(r->st, path.buf, &s, e);
		if (rc == 1 && summary_settle(&s, not_known, NULL, e) == 0)
			rc = by_summary(&s, note, e);
		return rc < 0 ? -1 : 0;
	}
	*links -= all.count;
	for (size_t i = 0; i < all.count; i++) {
		uint64_t pushed;
		struct tag t;
		int found = tag_parse(&t, all.v[i], strlen(all.v[i])) < 0 ? 0 : tag_pushed(r->st, &note->name, &t, false, &pushed, e);

		if (found < 0)
			return -1;
		note->tags += (uint64_t)found;
		if (found && (pushed > note->pushed || (pushed == note->pushed && strcmp(t.s, note->newest.s) > 0))) {
			note->pushed = pushed;
			note->newest = t;
		}
	}
	note->counted = true;
	return 0;
}

static int count(struct registry *r, struct repo_note *note, size_t *links, struct err *e)
{
	cleanup_summary struct summary s = SUMMARY_INIT;
	int found = reg_summary_open(r, &note->name, &s, e);

	if (found)
		return found < 0 ? -1 : by_summary(&s, note, e);
	return by_links(r, note, links, e);
}

int reg_repo_note(struct registry *r, const struct name *n, const struct dated *sizes, size_t *links, struct repo_note *note, struct err *e)
{
	cleanup_err struct err why = ERR_INIT;
	struct log_event ev;
	int found = repo_exists(r->st, n, e);

	*note = (struct repo_note){ .name = *n };
	if (found <= 0)
		return found;
	note->sized = sizes && reg_sizes_find(sizes, n, &note->own, &note->shared);
	if (count(r, note, links, &why) >= 0)
		return 1;
	/* One that is damaged is no reason to show no other one. */
	note->counted = false;
	note->newest.len = 0;
	log_begin(&ev, LOG_ERROR, "not_counted");
	log_str(&ev, "repository", n->s);
	log_err(&ev, &why);
	log_end(&ev);
	return 1;
}

/* What the line of the tail says. */
struct place {
	uint64_t at;
	int64_t as_of;
	struct names begun;
};

static bool read_place(const struct summary *s, struct place *place)
{
	const char *p = s->tail.buf, *end = strstr(p, " ;");
	bool first = true;
	uint64_t v;

	if (*p++ != '\n' || *p++ != '#' || !end)
		return false;
	while (p < end) {
		size_t len = strcspn(p, " ");

		if (first || place->as_of < 0) {
			if (str_parse_u64(p, len, &v) < 0 || v > INT64_MAX)
				return false;
			if (first) {
				place->at = v;
				place->as_of = -1;
			} else {
				place->as_of = (int64_t)v;
			}
			first = false;
		} else {
			names_add(&place->begun, p, len);
		}
		p += len + 1;
	}
	return !first && place->as_of >= 0;
}

/* What is being written, or looked at. */
struct listing {
	struct registry *r;
	struct dated sizes;
	size_t links;
	struct str lines;
	size_t count;
};

static int look_at(void *arg, const char *key, size_t len, struct str *line, struct err *e)
{
	struct listing *l = arg;
	struct repo_note note;
	struct name n;
	int found = name_parse(&n, key, len) < 0 ? 0 : reg_repo_note(l->r, &n, &l->sizes, &l->links, &note, e);

	if (found == 1)
		add_note(line, &note);
	return found;
}

static int write_one(void *arg, const struct name *n, struct err *e)
{
	struct listing *l = arg;
	int found = look_at(l, n->s, n->len, &l->lines, e);

	if (found != 1)
		return found;
	str_addc(&l->lines, '\n');
	l->count++;
	return 0;
}

static int copy_one(void *arg, const struct summary_row *row, struct err *e)
{
	struct listing *l = arg;

	(void)e;
	summary_add_row(&l->lines, row);
	str_addc(&l->lines, '\n');
	l->count++;
	return 0;
}

/* Write the rows, and up to where they are right. */
static int write_list(struct listing *l, const struct place *place, struct err *e)
{
	cleanup_free struct summary_row *v = xcalloc(l->count + 1, sizeof(*v));
	cleanup_str struct str note = STR_INIT;
	const char *line = l->lines.buf;
	size_t i;

	for (i = 0; i < l->count; i++) {
		size_t len = strcspn(line, "\n");

		summary_parse_row(line, len, &v[i]);
		line += len + 1;
	}
	str_addf(&note, "\n#%" PRIu64 " %" PRId64, place->at, place->as_of);
	for (i = 0; i < place->begun.count; i++)
		str_addf(&note, " %s", place->begun.v[i]);
	str_puts(&note, " ;\n");
	return summary_build_noted(l->r->st, STORE_REPOS_FILE, v, l->count, note.buf, e);
}

/* The whole list by looking at each repository. The caller holds the catalog's lock. */
static int write_all(struct registry *r, struct err *e)
{
	struct listing l = { .r = r, .sizes = DATED_INIT, .links = LINKS, .lines = STR_INIT };
	struct place place = { .begun = NAMES_INIT };
	cleanup_names struct names recent = NAMES_INIT;
	uint64_t size;
	int rc = touched_make(r->st, &size, e);

	if (rc == 0)
		rc = touched_read(r->st, size > RECENT ? size - RECENT : 0, &recent, &place.begun, &place.at, e) < 0 ? -1 : 0;
	if (rc == 0)
		rc = reg_sizes_read(r->st, &l.sizes, e) < 0 ? -1 : 0;
	place.as_of = l.sizes.when;
	if (rc == 0)
		rc = repo_walk(r->st, NULL, write_one, &l, e);
	if (rc == 0)
		rc = write_list(&l, &place, e);
	dated_release(&l.sizes);
	str_release(&l.lines);
	names_release(&place.begun);
	return rc;
}

/* Open the list and put in doubt what has changed: 1, 0, -1. */
static int open_list(struct registry *r, struct summary *s, struct place *place, struct names *changed, struct err *e)
{
	cleanup_names struct names begun = NAMES_INIT;
	uint64_t size;
	int rc = summary_open(r->st, STORE_REPOS_FILE, s, e);

	if (rc == 1 && !read_place(s, place))
		rc = 0;
	if (rc == 1)
		rc = touched_read(r->st, place->at, changed, &begun, &size, e);
	if (rc != 1)
		return rc;
	for (size_t i = 0; i < place->begun.count; i++)
		names_add(changed, place->begun.v[i], strlen(place->begun.v[i]));
	summary_doubt_keys(s, changed);
	/* What was begun before, and has not ended since, is still in doubt. */
	for (size_t i = 0; i < place->begun.count; i++) {
		size_t k;

		for (k = 0; k + place->begun.count < changed->count && strcmp(changed->v[k], place->begun.v[i]) != 0; k++)
			;
		if (k + place->begun.count == changed->count)
			names_add(&begun, place->begun.v[i], strlen(place->begun.v[i]));
	}
	names_release(&place->begun);
	place->begun = begun;
	begun = (struct names)NAMES_INIT;
	place->at = size;
	return 1;
}

/* The list with what has changed in it, for the next readers. Nobody waits for it, and that it fails does not matter. */
static void write_anew(struct listing *l, struct summary *s, const struct place *place)
{
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_fd int lock = -1;

	if (lock_file_now(l->r->st, STORE_CATALOG_LOCK_FILE, LOCK_CATALOG, &lock, &ignored) == 1 &&
	    summary_walk(s, SUMMARY_BY_KEY, false, NULL, copy_one, l, &ignored) == 0)
		write_list(l, place, &ignored);
}

static int read_list(struct registry *r, struct summary *s, int64_t *as_of, struct err *e)
{
	struct listing l = { .r = r, .sizes = DATED_INIT, .links = LINKS, .lines = STR_INIT };
	struct place place = { .begun = NAMES_INIT };
	cleanup_names struct names changed = NAMES_INIT;
	int rc = open_list(r, s, &place, &changed, e);

	*as_of = place.as_of > 0 ? place.as_of : 0;
	if (rc == 1 && changed.count && reg_sizes_read(r->st, &l.sizes, e) < 0)
		rc = -1;
	if (rc == 1 && changed.count && summary_settle(s, look_at, &l, e) < 0)
		rc = -1;
	if (rc == 1 && changed.count > CHANGED_MANY)
		write_anew(&l, s, &place);
	dated_release(&l.sizes);
	str_release(&l.lines);
	names_release(&place.begun);
	return rc;
}

int reg_repo_list_open(struct registry *r, struct summary *s, int64_t *as_of, struct err *e)
{
	cleanup_fd int lock = -1;
	char mark[BELIEVED_LEN + 1];
	int rc = read_list(r, s, as_of, e);

	if (rc)
		return rc;
	summary_close(s);
	rc = believed_begin(r->st, mark, e);
	if (rc <= 0)
		return rc;
	rc = lock_file_now(r->st, STORE_CATALOG_LOCK_FILE, LOCK_CATALOG, &lock, e);
	if (rc <= 0 || write_all(r, e) < 0)
		return rc < 0 ? rc : rc == 0 ? 0 : -1;
	return read_list(r, s, as_of, e);
}
