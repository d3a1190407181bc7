/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_fallback: filling in the links that nginx follows by itself.
 *
 * Owns no state. It stands here and not in the store since a manifest's type is written in it.
 */
#include "registry/reg_fallback.h"

#include <string.h>

#include "os/dir.h"
#include "os/file.h"
#include "registry/manifest.h"
#include "registry/reg_manifest.h"
#include "store/fallback.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

struct fill {
	struct registry *r;
	const struct name *n;
};

static int fill_revision(void *arg, const struct digest *d, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT, type = STR_INIT;
	cleanup_err struct err missing = ERR_INIT;
	struct fill *f = arg;
	struct ref ref = { .kind = REF_DIGEST, .digest = *d };
	struct digest content;
	int found = revision_read(f->r->st, f->n, d, &content, e);

	/* Links that hold another digest than they are called by are left to the workers. */
	if (found <= 0 || !digest_eq(&content, d) || fallback_type(f->r->st, f->n, d) != MEDIATYPE_OTHER)
		return found < 0 ? -1 : 0;
	if (reg_manifest_find(f->r, f->n, &ref, &m, &missing) < 0 || reg_manifest_read(&m, &bytes, &type, &missing) < 0)
		return 0;               /* what is missing here is missing later, too */
	fallback_add(f->r->st, f->n, d->text, mediatype_parse(type.buf, type.len), d);
	return 0;
}

/* A tag stands still while its link is made. */
static int fill_tag(struct registry *r, const struct name *n, const struct tag *t, struct err *e)
{
	cleanup_fd int lock = -1;
	struct digest d;
	int found = lock_repository(r->st, n, &lock, e) < 0 ? -1 : tag_read(r->st, n, t, &d, e);

	if (found == 1)
		fallback_add(r->st, n, t->s, fallback_type(r->st, n, &d), &d);
	return found < 0 ? -1 : 0;
}

int reg_fallback_fill(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_names struct names tags = NAMES_INIT;
	struct fill f = { r, n };
	size_t i;

	if (!r->cfg->fallback)
		return 0;
	if (revision_walk(r->st, n, fill_revision, &f, e) != 0 || tag_names(r->st, n, &tags, e) < 0)
		return -1;
	for (i = 0; i < tags.count; i++) {
		struct tag t;

		if (tag_parse(&t, tags.v[i], strlen(tags.v[i])) == 0 && fill_tag(r, n, &t, e) < 0)
			return -1;
	}
	return 0;
}

static int fill_one(void *arg, const struct name *n, struct err *e)
{
	return reg_fallback_fill(arg, n, e);
}

int reg_fallback_fill_all(struct registry *r, struct err *e)
{
	fallback_purge(r->st);
	return repo_walk(r->st, NULL, fill_one, r, e);
}
