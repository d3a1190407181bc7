/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_referrers: listing referrers.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_referrers.h"

#include <string.h>

#include "base/json_top.h"
#include "os/dir.h"
#include "registry/reg_index.h"
#include "registry/reg_stored.h"
#include "store/index.h"
#include "store/repo.h"
#include "store/revision.h"

/* The most that is examined for a page, whatever the filter leaves of it. The next page continues there. */
#define ENTRIES 1000                    /* of the index, or, without an index, */
#define MANIFESTS 10000                 /* of the repository */
#define READ_MAX (16u * 1024 * 1024)    /* bytes of either */

/* Whether a descriptor has the requested type. Both are compared as JSON text, so nothing is decoded. */
static bool of_type(const struct str *descriptor, const char *type)
{
	cleanup_str struct str want = STR_INIT;
	const char *is;
	size_t len;

	if (!type)
		return true;
	str_addc(&want, '"');
	str_add_json(&want, type, strlen(type));
	str_addc(&want, '"');
	return json_top_raw(descriptor->buf, descriptor->len, "artifactType", &is, &len) == 1 && len == want.len &&
	       memcmp(is, want.buf, len) == 0;
}

struct page {
	struct registry *r;
	const struct name *n;
	const struct referrers_query *q;
	struct str *out;
	struct names digests;           /* to examine */
	size_t read;                    /* bytes */
	bool indexed;                   /* the digests are from the index; otherwise they are all manifests of the repository */
};

/* Returns 0 if the descriptor was added, 1 if the page is full. */
static int add(struct page *p, const struct str *descriptor)
{
	if (p->out->len && p->out->len + 1 + descriptor->len > p->q->max_bytes)
		return 1;
	if (p->out->len)
		str_addc(p->out, ',');
	str_add(p->out, descriptor->buf, descriptor->len);
	return 0;
}

/* Without an index entry the manifest itself is read. */
static int add_read(struct page *p, const char *text, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct digest d, subject;
	int found;

	if (digest_parse(&d, text, strlen(text)) < 0)
		return 0;
	found = reg_stored_referrer(p->r, p->n, &d, &subject, &descriptor, &p->read, e);
	if (found <= 0 || !digest_eq(&subject, &p->q->subject) || !of_type(&descriptor, p->q->artifact_type))
		return found < 0 ? -1 : 0;
	return add(p, &descriptor);
}

/* The entry of the index if its manifest still exists. Without a usable entry the manifest is read. */
static int add_indexed(struct page *p, const char *text, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct digest d, content;
	int found;

	if (digest_parse(&d, text, strlen(text)) < 0)
		return 0;
	found = index_read_referrer(p->r->st, p->n, &p->q->subject, &d, &descriptor, e);
	p->read += descriptor.len;
	if (found <= 0)
		return found < 0 ? -1 : add_read(p, text, e);
	found = of_type(&descriptor, p->q->artifact_type) ? revision_find(p->r->st, p->n, &d, &content, e) : 0;
	return found <= 0 ? found : add(p, &descriptor);
}

static int collect(void *arg, const struct digest *d, struct err *e)
{
	struct page *p = arg;

	(void)e;
	if (!p->q->last || strcmp(d->text, p->q->last) > 0)
		names_add(&p->digests, d->text, strlen(d->text));
	return 0;
}

/* The digests to examine, in order. One more than a page examines shows that there is a next page. */
static int candidates(struct page *p, struct err *e)
{
	struct store *st = p->r->st;
	int ready = reg_index_ready(p->r, p->n, e);

	if (ready < 0)
		return -1;
	p->indexed = ready;
	if (!ready) {
		if (revision_walk(st, p->n, collect, p, e) < 0)
			return -1;
		names_sort(&p->digests);
		return 0;
	}
	return index_referrers(st, p->n, &p->q->subject, p->q->last ? p->q->last : "", ENTRIES + 1, &p->digests, e);
}

int reg_referrers_page(struct registry *r, const struct name *n, const struct referrers_query *q, struct str *out,
		       struct str *next, struct err *e)
{
	struct page p = { .r = r, .n = n, .q = q, .out = out, .digests = NAMES_INIT };
	size_t i, budget;
	int rc = repo_exists(r->st, n, e);

	str_reset(out);
	str_reset(next);
	if (rc <= 0)
		return rc;
	rc = candidates(&p, e);
	budget = p.indexed ? ENTRIES : MANIFESTS;
	for (i = 0; rc == 0 && i < p.digests.count; i++) {
		if (i == budget || p.read >= READ_MAX)
			rc = 1;
		else
			rc = p.indexed ? add_indexed(&p, p.digests.v[i], e) : add_read(&p, p.digests.v[i], e);
		if (rc == 1)
			str_puts(next, p.digests.v[i - 1]);     /* i > 0: the first descriptor always fits */
	}
	names_release(&p.digests);
	return rc < 0 ? -1 : 0;
}
