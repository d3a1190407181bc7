/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_row: rows about tags.
 *
 * Owns the form of the text of a summary's row: words, each a letter and a value, percent-encoded. Knows nothing of when one is written.
 */
#include "registry/reg_row.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_check.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "store/index.h"
#include "store/pulled.h"
#include "store/revision.h"
#include "store/summary_write.h"
#include "store/tag.h"

_Static_assert(KIND_COUNT == SUMMARY_COUNTS, "a summary counts each kind");

void reg_row_release(struct tag_row *row)
{
	facts_release(&row->facts);
	str_release(&row->by);
}

/* The index has entries of what has gone, or never came. */
int reg_row_refers(struct registry *r, const struct name *n, const struct digest *subject, const struct digest *d, struct str *descriptor,
		   struct err *e)
{
	struct digest content;
	int found = index_read_referrer(r->st, n, subject, d, descriptor, e);

	return found == 1 ? revision_find(r->st, n, d, &content, e) : found;
}

int reg_row_count(struct registry *r, const struct name *n, const struct digest *d, unsigned counts[KIND_COUNT], struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str descriptor = STR_INIT;
	size_t i;

	memset(counts, 0, KIND_COUNT * sizeof(*counts));
	if (index_referrers(r->st, n, d, "", SUMMARY_REFERS_MAX, &all, e) < 0)
		return -1;
	for (i = 0; i < all.count && i < SUMMARY_REFERS_MAX; i++) {
		struct json_fault f;
		struct digest one;
		int found;

		str_reset(&descriptor);
		if (digest_parse(&one, all.v[i], strlen(all.v[i])) < 0)
			continue;
		found = reg_row_refers(r, n, d, &one, &descriptor, e);
		if (found < 0)
			return -1;
		if (found && json_check(descriptor.buf, descriptor.len, &f) == 0)
			counts[kind_of(json_view_of(descriptor.buf, descriptor.len))]++;
	}
	return 0;
}

/*
 * Take what an old row says of the same manifest: whether its facts are known by it. Those of an index depend on what else is here, and those of an
 * image on its configuration, which a mirror fetches after the manifest.
 */
static bool take_old(const struct summary_row *old, struct tag_row *row)
{
	cleanup_tag_row struct tag_row was = TAG_ROW_INIT;

	if (!old || reg_row_parse(&was, old) < 0 || !digest_eq(&was.digest, &row->digest))
		return false;
	if (was.pushed == row->pushed) {
		row->by = was.by;
		was.by = (struct str)STR_INIT;
	}
	if (!was.facts.media_type.len || (!was.facts.platforms.len && !was.facts.dated && !was.facts.artifact_type.len) ||
	    mediatype_is_index(mediatype_parse(was.facts.media_type.buf, was.facts.media_type.len)))
		return false;
	row->facts = was.facts;
	was.facts = (struct facts)FACTS_INIT;
	return true;
}

/* What can't be read is not known: fsck tells of it, and who pulls it. */
static void read_facts(struct registry *r, const struct name *n, struct tag_row *row)
{
	cleanup_err struct err ignored = ERR_INIT;

	if (facts_read(r, n, &row->digest, NULL, &row->facts, &ignored) >= 0)
		return;
	facts_release(&row->facts);
	row->facts = (struct facts)FACTS_INIT;
}

static void copy_facts(const struct facts *from, struct facts *to)
{
	*to = *from;
	to->media_type = to->artifact_type = to->platforms = (struct str)STR_INIT;
	str_add(&to->media_type, from->media_type.buf, from->media_type.len);
	str_add(&to->artifact_type, from->artifact_type.buf, from->artifact_type.len);
	str_add(&to->platforms, from->platforms.buf, from->platforms.len);
}

/* By the slot of the digest, if it has them; else they take its place there. */
static void find_facts(struct registry *r, const struct name *n, struct row_facts *slots, struct tag_row *row)
{
	struct row_facts *slot = NULL;
	uint64_t v;

	if (slots && str_parse_hex(digest_hex(&row->digest), 8, &v) == 0)
		slot = &slots[v % ROW_FACTS];
	if (slot && slot->facts.sized && digest_eq(&slot->digest, &row->digest)) {
		copy_facts(&slot->facts, &row->facts);
		return;
	}
	read_facts(r, n, row);
	if (!slot || !row->facts.sized)
		return;
	facts_release(&slot->facts);
	slot->digest = row->digest;
	copy_facts(&row->facts, &slot->facts);
}

void reg_row_facts_release(struct row_facts *slots)
{
	for (size_t i = 0; i < ROW_FACTS; i++)
		facts_release(&slots[i].facts);
}

int reg_row_pulled(struct registry *r, const struct name *n, struct tag_row *row, struct err *e)
{
	return pulled_tag(r->st, n, &row->tag, &row->pulled, e) < 0 ? -1 : 0;
}

int reg_row_read(struct registry *r, const struct name *n, const struct tag *t, const struct row_source *from, struct tag_row *row, struct err *e)
{
	int found = tag_read(r->st, n, t, &row->digest, e);

	row->tag = *t;
	if (found <= 0)
		return found;
	found = tag_pushed(r->st, n, t, false, &row->pushed, e);
	if (found <= 0)
		return found;
	if (!take_old(from->old, row))
		find_facts(r, n, from->facts, row);
	if (reg_row_pulled(r, n, row, e) < 0)
		return -1;
	return from->indexed && reg_row_count(r, n, &row->digest, row->referrers, e) < 0 ? -1 : 1;
}

static bool is_index(const struct facts *f)
{
	return f->media_type.len && mediatype_is_index(mediatype_parse(f->media_type.buf, f->media_type.len));
}

void reg_row_put_off(struct facts *f)
{
	f->sized = f->sized && !is_index(f);
}

bool reg_row_unsummed(const struct tag_row *row)
{
	return !row->facts.sized && is_index(&row->facts);
}

bool reg_row_sum(struct registry *r, const struct name *n, struct tag_row *row, struct facts_budget *budget)
{
	const struct facts_budget whole = FACTS_BUDGET;
	struct facts_budget own = whole;
	cleanup_facts struct facts f = FACTS_INIT;
	cleanup_err struct err ignored = ERR_INIT;      /* as in read_facts() */

	if (budget->manifests <= own.manifests || budget->bytes < own.bytes)
		return false;
	if (facts_read(r, n, &row->digest, &own, &f, &ignored) != 1)
		f.sized = false;
	budget->manifests -= whole.manifests - own.manifests + 1;
	budget->bytes -= whole.bytes - own.bytes;
	row->facts.sized = f.sized;
	row->facts.bytes = f.bytes;
	return f.sized;
}

static void add_word(struct str *out, char letter, const char *s, size_t len)
{
	if (!len)
		return;
	if (out->len)
		str_addc(out, ' ');
	str_addc(out, letter);
	str_add_urlenc(out, s, len);
}

static void add_number(struct str *out, char letter, int64_t v)
{
	str_addf(out, out->len ? " %c%" PRId64 : "%c%" PRId64, letter, v);
}

void reg_row_line(const struct tag_row *row, struct str *line)
{
	const struct facts *f = &row->facts;
	cleanup_str struct str text = STR_INIT;
	struct summary_row out = {
		.pushed = row->pushed, .key = row->tag.s, .key_len = row->tag.len, .digest = row->digest.text, .digest_len = strlen(row->digest.text),
	};

	add_word(&text, 'm', f->media_type.buf, f->media_type.len);
	add_word(&text, 'a', f->artifact_type.buf, f->artifact_type.len);
	add_word(&text, 'p', f->platforms.buf, f->platforms.len);
	add_word(&text, 'u', row->by.buf, row->by.len < ROW_BY_MAX ? row->by.len : ROW_BY_MAX);
	if (f->sized)
		add_number(&text, 'b', (int64_t)f->bytes);
	if (f->dated)
		add_number(&text, 'c', f->created);
	if (row->pulled > 0)
		add_number(&text, 'l', row->pulled);
	out.text = text.buf;
	out.text_len = text.len;
	memcpy(out.counts, row->referrers, sizeof(out.counts));
	summary_add_row(line, &out);
}

static int parse_number(const char *s, size_t len, int64_t *out)
{
	bool negative = len && *s == '-';
	uint64_t v;

	if (str_parse_u64(s + negative, len - negative, &v) < 0 || v > INT64_MAX)
		return -1;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

static int take_word(struct tag_row *row, const char *s, size_t len)
{
	struct facts *f = &row->facts;
	int64_t v = 0;

	switch (*s) {
	case 'm':
		return str_add_urldec(&f->media_type, s + 1, len - 1, false);
	case 'a':
		return str_add_urldec(&f->artifact_type, s + 1, len - 1, false);
	case 'p':
		return str_add_urldec(&f->platforms, s + 1, len - 1, false);
	case 'u':
		return str_add_urldec(&row->by, s + 1, len - 1, false);
	case 'b':
		f->sized = parse_number(s + 1, len - 1, &v) == 0 && v >= 0;
		f->bytes = f->sized ? (uint64_t)v : 0;
		return 0;
	case 'c':
		f->dated = parse_number(s + 1, len - 1, &f->created) == 0;
		return 0;
	case 'l':
		if (parse_number(s + 1, len - 1, &v) == 0)
			row->pulled = v;
		return 0;
	default:
		return 0;
	}
}

int reg_row_parse(struct tag_row *row, const struct summary_row *from)
{
	const char *p = from->text, *end = p + from->text_len;

	if (tag_parse(&row->tag, from->key, from->key_len) < 0 || digest_parse(&row->digest, from->digest, from->digest_len) < 0)
		return -1;
	row->pushed = from->pushed;
	memcpy(row->referrers, from->counts, sizeof(row->referrers));
	while (p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p)), *stop = blank ? blank : end;

		if (stop > p && take_word(row, p, (size_t)(stop - p)) < 0)
			return -1;
		p = stop + 1;
	}
	if (from->pulled <= INT64_MAX && (int64_t)from->pulled > row->pulled)
		row->pulled = (int64_t)from->pulled;
	if (from->summed && reg_row_unsummed(row)) {
		row->facts.sized = true;
		row->facts.bytes = from->bytes;
	}
	return 0;
}
