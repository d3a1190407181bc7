/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_referrers: listing referrers.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_referrers.h"

#include <string.h>

#include "base/json_check.h"
#include "os/dir.h"
#include "registry/describe.h"
#include "registry/reg_index.h"
#include "registry/reg_manifest.h"
#include "store/index.h"
#include "store/repo.h"
#include "store/revision.h"

/* Whether a descriptor is of the type asked for; both as JSON text, since neither is decoded for it. */
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
	struct str *out, *next;
	struct str last;                /* of what was added */
	struct names digests;           /* for a store without an index */
};

/* One more descriptor: 0 added, 1 the page is full. */
static int add(struct page *p, const char *digest, const struct str *descriptor)
{
	if (!of_type(descriptor, p->q->artifact_type))
		return 0;
	if (p->out->len && p->out->len + 1 + descriptor->len > p->q->max_bytes) {
		str_puts(p->next, p->last.buf);
		return 1;
	}
	if (p->out->len)
		str_addc(p->out, ',');
	str_add(p->out, descriptor->buf, descriptor->len);
	str_reset(&p->last);
	str_puts(&p->last, digest);
	return 0;
}

/* The entry of the index, if its manifest still is here. */
static int add_indexed(struct page *p, const char *text, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct digest d, content;
	int found;

	if (digest_parse(&d, text, strlen(text)) < 0)
		return 0;
	found = revision_find(p->r->st, p->n, &d, &content, e);
	if (found == 1)
		found = index_read_referrer(p->r->st, p->n, &p->q->subject, &d, &descriptor, e);
	return found <= 0 ? found : add(p, text, &descriptor);
}

/* Without an index: what the manifest itself says. */
static int add_read(struct page *p, const char *text, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT, type = STR_INIT, descriptor = STR_INIT;
	struct ref ref = { .kind = REF_DIGEST };
	struct err ignored = ERR_INIT;
	struct digest subject;

	if (digest_parse(&ref.digest, text, strlen(text)) < 0)
		return 0;
	if (reg_manifest_find(p->r, p->n, &ref, &m, &ignored) < 0) {
		err_release(&ignored);
		return 0;
	}
	if (reg_manifest_read(&m, &bytes, &type, e) < 0)
		return -1;
	if (!manifest_describe(bytes.buf, bytes.len, &ref.digest, &subject, &descriptor) ||
	    !digest_eq(&subject, &p->q->subject))
		return 0;
	return add(p, text, &descriptor);
}

static int take(void *arg, const struct digest *d, struct err *e)
{
	struct page *p = arg;

	(void)e;
	names_add(&p->digests, d->text, strlen(d->text));
	return 0;
}

static int candidates(struct page *p, struct err *e)
{
	struct store *st = p->r->st;

	if (st->readonly) {
		if (revision_walk(st, p->n, take, p, e) < 0)
			return -1;
		names_sort(&p->digests);
		return 0;
	}
	if (reg_index_ready(p->r, p->n, e) < 0)
		return -1;
	return index_referrers(st, p->n, &p->q->subject, &p->digests, e);
}

int reg_referrers_page(struct registry *r, const struct name *n, const struct referrers_query *q, struct str *out,
		       struct str *next, struct err *e)
{
	struct page p = { .r = r, .n = n, .q = q, .out = out, .next = next, .last = STR_INIT, .digests = NAMES_INIT };
	int rc = repo_exists(r->st, n, e);
	size_t i;

	str_reset(out);
	str_reset(next);
	if (rc <= 0)
		return rc;
	rc = candidates(&p, e);
	for (i = 0; rc == 0 && i < p.digests.count; i++) {
		const char *text = p.digests.v[i];

		if (q->last && strcmp(text, q->last) <= 0)
			continue;
		rc = r->st->readonly ? add_read(&p, text, e) : add_indexed(&p, text, e);
	}
	str_release(&p.last);
	names_release(&p.digests);
	return rc < 0 ? -1 : 0;
}
