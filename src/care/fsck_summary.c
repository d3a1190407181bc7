/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_summary: the summary of a repository's tags against the links and manifests.
 *
 * A row that a reader would believe has to be right: one that is in doubt is looked at by readers, and is no fault. What depends on the time at which
 * it was noted is not compared: who pushed, when a tag was pulled, the bytes of an index, and what was not known then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mediatype.h"
#include "base/mem.h"
#include "care/fsck_work.h"
#include "registry/reg_summary.h"
#include "store/tag.h"

struct check {
	struct fsck_work *w;
	const struct name *n;
	void (*tell)(void *arg, const char *what, const char *text);
	void *arg;
	struct row_facts *facts;
	struct names keys, lines;       /* of the rows in byte order, and what they say */
	size_t again;                   /* rows in the order of pushes */
	uint64_t pushed;
};

static bool same(const struct str *a, const struct str *b)
{
	return a->len == b->len && memcmp(a->buf, b->buf, a->len) == 0;
}

/*
 * What follows from the manifest, as far as the row says it. The configuration of an image, which has its platform, may have come later than the
 * manifest, or have been deleted since: then nothing of it is compared.
 */
static const char *facts_differ(const struct facts *is, const struct facts *says)
{
	bool alike = !is->platforms.len == !says->platforms.len;

	if (!is->media_type.len || !says->media_type.len)
		return NULL;
	if (!same(&is->media_type, &says->media_type))
		return "media type";
	if (!same(&is->artifact_type, &says->artifact_type))
		return "artifact type";
	if (alike && !same(&is->platforms, &says->platforms))
		return "platforms";
	if (alike && is->dated && says->dated && is->created != says->created)
		return "time of creation";
	if (says->sized && is->bytes != says->bytes && !mediatype_is_index(mediatype_parse(is->media_type.buf, is->media_type.len)))
		return "bytes";
	return NULL;
}

/* What a row says wrong; NULL: nothing. */
static const char *differs(const struct tag_row *is, const struct tag_row *says, bool counted)
{
	unsigned sum = 0;

	for (size_t i = 0; i < KIND_COUNT; i++)
		sum += is->referrers[i];
	if (!digest_eq(&is->digest, &says->digest))
		return "digest";
	if (is->pushed != says->pushed)
		return "time of the push";
	/* Of more than are counted each reader has its own. */
	if (counted && sum < SUMMARY_REFERS_MAX && memcmp(is->referrers, says->referrers, sizeof(is->referrers)) != 0)
		return "number of referrers";
	return facts_differ(&is->facts, &says->facts);
}

static int check_row(void *arg, const struct summary_row *row, struct err *e)
{
	cleanup_tag_row struct tag_row is = TAG_ROW_INIT, says = TAG_ROW_INIT;
	cleanup_str struct str key = STR_INIT, line = STR_INIT;
	struct check *c = arg;
	const struct row_source from = { .indexed = true, .facts = c->facts };
	const char *wrong;
	int found;

	str_add(&key, row->key, row->key_len);
	summary_add_row(&line, row);
	names_add(&c->keys, key.buf, key.len);
	names_add(&c->lines, line.buf, line.len);
	if (reg_row_parse(&says, row) < 0) {
		c->tell(c->arg, "has a row of no tag: ", key.buf);
		return 0;
	}
	found = reg_row_read(c->w->r, c->n, &says.tag, &from, &is, e);
	if (found < 0)
		return -1;
	wrong = found ? differs(&is, &says, !row->recount) : "tag, which is not there";
	if (wrong) {
		str_addf(&key, ": %s", wrong);
		c->tell(c->arg, "is wrong about ", key.buf);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

/* The place of a key among the rows; -1: there is none. */
static long find(const struct check *c, const char *key)
{
	char *const *at = c->keys.count ? bsearch(key, c->keys.v, c->keys.count, sizeof(*c->keys.v), compare) : NULL;

	return at ? at - c->keys.v : -1;
}

/* The other order has the same rows. */
static int check_again(void *arg, const struct summary_row *row, struct err *e)
{
	cleanup_str struct str key = STR_INIT, line = STR_INIT;
	struct check *c = arg;
	long at;

	(void)e;
	str_add(&key, row->key, row->key_len);
	summary_add_row(&line, row);
	at = find(c, key.buf);
	if (at < 0 || strcmp(c->lines.v[at], line.buf) != 0 || row->pushed < c->pushed)
		c->tell(c->arg, "has another row by push than by name: ", key.buf);
	c->again++;
	c->pushed = row->pushed;
	return 0;
}

static int check_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct check *c = arg;

	(void)d, (void)e;
	if (find(c, t->s) < 0)
		c->tell(c->arg, "lacks the tag ", t->s);
	return 0;
}

static int check_all(struct check *c, struct summary *s, struct err *e)
{
	if (summary_walk(s, SUMMARY_BY_KEY, false, NULL, check_row, c, e) < 0 || summary_walk(s, SUMMARY_BY_PUSH, false, NULL, check_again, c, e) < 0)
		return -1;
	if (c->again != c->keys.count || summary_count(s) != c->keys.count)
		c->tell(c->arg, "has not as many rows by push, or says so", "");
	return tag_walk(c->w->r->st, c->n, check_tag, c, e);
}

int fsck_summary(struct fsck_work *w, const struct name *n, void (*tell)(void *arg, const char *what, const char *text), void *arg, struct err *e)
{
	struct check c = { .w = w, .n = n, .tell = tell, .arg = arg, .keys = NAMES_INIT, .lines = NAMES_INIT };
	cleanup_summary struct summary s = SUMMARY_INIT;
	int rc = reg_summary_open(w->r, n, &s, e);

	c.facts = xcalloc(ROW_FACTS, sizeof(*c.facts));
	if (rc == 1)
		rc = check_all(&c, &s, e);
	/* What cannot be read of an index is made anew with it. */
	if (rc < 0 && (e->sys == EUCLEAN || e->sys == EACCES)) {
		tell(arg, e->sys == EACCES ? "cannot be compared" : "is corrupt", "");
		err_release(e);
		*e = (struct err)ERR_INIT;
		rc = 0;
	}
	reg_row_facts_release(c.facts);
	free(c.facts);
	names_release(&c.keys);
	names_release(&c.lines);
	return rc < 0 ? -1 : 0;
}
