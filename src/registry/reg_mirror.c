/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_mirror: the copies of other registries' images.
 *
 * Owns no state. Invariant: content is linked into a mirror only where a manifest of the repository names it, or the upstream has given it for
 * the repository. Knows neither HTTP nor the relay, nor users.
 */
#include "registry/reg_mirror.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "os/file.h"
#include "registry/reg_blob.h"
#include "registry/reg_manifest.h"
#include "registry/reg_stored.h"
#include "store/blob.h"
#include "store/mirror.h"
#include "store/tag.h"

static bool is_mirror(const void *arg, const struct name *n)
{
	return upstream_of(arg, n, NULL) != NULL;
}

const struct mirror_by reg_mirror_by = { is_mirror };

/* Seconds since the tag was confirmed: 1, 0 never, -1 with *e. A time in the future, of a clock that was wrong, counts as never. */
static int age_of(struct registry *r, const struct name *n, const struct tag *t, uint64_t *age, struct err *e)
{
	int64_t when, now = time(NULL);
	int found = mirror_checked(r->st, n, t, &when, e);

	*age = 0;
	if (found <= 0 || when > now + 60)
		return found < 0 ? -1 : 0;
	*age = now > when ? (uint64_t)(now - when) : 0;
	return 1;
}

/* The tag's digest, if its manifest is here: 1, 0, -1 with *e. */
static int find_tag(struct registry *r, const struct name *n, const struct tag *t, struct digest *out, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	struct ref ref = { .kind = REF_TAG, .tag = *t };

	*out = (struct digest){ 0 };
	if (reg_stored_find(r, n, &ref, &m, e) < 0) {
		if (e->code != ERR_MANIFEST_UNKNOWN)
			return -1;
		err_release(e);
		return 0;
	}
	*out = m.digest;
	return 1;
}

int reg_mirror_tag(struct registry *r, const struct config_upstream *u, const struct name *n, const struct tag *t, struct digest *have, bool *has,
		   struct err *e)
{
	uint64_t age;
	int checked = age_of(r, n, t, &age, e), found;

	*has = false;
	if (checked < 0)
		return -1;
	if (checked && age < u->fresh)
		return 1;
	if (!checked || age > u->stale)
		return 0;
	found = find_tag(r, n, t, have, e);
	*has = found == 1;
	return found < 0 ? -1 : 0;
}

int reg_mirror_stale(struct registry *r, const struct config_upstream *u, const struct name *n, const struct tag *t, uint64_t *age, struct err *e)
{
	int checked = age_of(r, n, t, age, e);

	return checked == 1 ? *age <= u->stale : checked;
}

/* Only what an index names as a manifest: of what is named as a layer the upstream has not checked what it names in turn. */
int reg_mirror_link_manifest(struct registry *r, const struct name *n, const struct digest *d, struct err *e)
{
	struct manifest_push p = { .ref = { .kind = REF_DIGEST, .digest = *d } };
	cleanup_str struct str bytes = STR_INIT;
	cleanup_fd int fd = -1;
	uint64_t size;
	int found = r->cfg->readonly || r->st->readonly ? 0 : mirror_child(r->st, n, d, e);

	if (found == 1)
		found = blob_open(r->st, d, &fd, &size, e);
	if (found <= 0 || size > r->cfg->max_manifest)
		return found < 0 ? -1 : 0;
	if (os_read_str(fd, size, &bytes) < 0)
		return err_sys(e, "cannot read manifest %s", d->text);
	p.bytes = &bytes;
	if (reg_manifest_put(r, n, &p, e) == 0)
		return 1;
	if (e->code != ERR_MANIFEST_INVALID && e->code != ERR_DIGEST_INVALID)
		return -1;
	err_release(e);
	return 0;
}

int reg_mirror_link_blob(struct registry *r, const struct name *n, const struct digest *d, bool *named, struct err *e)
{
	int found = mirror_named(r->st, n, d, e);

	*named = found == 1;
	if (found <= 0 || r->cfg->readonly || r->st->readonly)
		return found < 0 ? -1 : 0;
	return blob_adopt(r->st, n, d, e);
}

int reg_mirror_has(struct registry *r, const struct name *n, const struct digest *d, bool manifest, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	struct ref ref = { .kind = REF_DIGEST, .digest = *d };
	struct blob_info info;
	bool named;
	int rc = manifest ? reg_stored_find(r, n, &ref, &m, e) : reg_blob_find(r, n, d, false, &info, e);

	if (rc == 0)
		return 1;
	if (e->code != ERR_MANIFEST_UNKNOWN && e->code != ERR_BLOB_UNKNOWN)
		return -1;
	err_release(e);
	return manifest ? reg_mirror_link_manifest(r, n, d, e) : reg_mirror_link_blob(r, n, d, &named, e);
}

int reg_mirror_put(struct registry *r, const struct name *n, const struct ref *ref, const char *content_type, const struct str *bytes,
		   struct digest *out, struct err *e)
{
	struct manifest_push p = { .ref = *ref, .content_type = content_type, .bytes = bytes };

	if (reg_manifest_put(r, n, &p, e) < 0)
		return -1;
	*out = p.digest;
	return ref->kind == REF_TAG ? mirror_check(r->st, n, &ref->tag, e) : 0;
}

/* A tag that has moved to a manifest that is here is set by a push of the same bytes, so that tag and index change as for every push. */
static int move_tag(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT, type = STR_INIT;
	struct ref ref = { .kind = REF_DIGEST, .digest = *d };
	struct tag tag = *t;
	struct manifest_push p = { .ref = ref, .bytes = &bytes, .tags = &tag, .ntags = 1 };

	if (reg_stored_find(r, n, &ref, &m, e) < 0 || reg_stored_read(r, &m, &bytes, &type, e) < 0)
		return -1;
	return reg_manifest_put(r, n, &p, e);
}

int reg_mirror_confirm(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct err *e)
{
	struct digest now;
	int found = find_tag(r, n, t, &now, e);

	if (found < 0 || (!(found && digest_eq(&now, d)) && move_tag(r, n, t, d, e) < 0))
		return -1;
	return mirror_check(r->st, n, t, e);
}

uint64_t reg_mirror_most(uint64_t max)
{
	return max + max / 20;
}

/* A blob that is too much is given to the client all the same: the relay has it. What the store has already takes no more room. */
static int check_size(struct registry *r, const struct digest *d, uint64_t size, struct err *e)
{
	uint64_t there, max = r->cfg->cache.max;
	int64_t when;
	int found = !max || size <= max / CACHE_KEEP_PART ? 1 : blob_age(r->st, d, &when, &there, e);

	if (found)
		return found < 0 ? -1 : 0;
	return err_set(e, ERR_DENIED, "a blob of more than a %dth of cache.max_size is not kept", CACHE_KEEP_PART);
}

/* Publish and link it. */
static int commit(struct registry *r, const struct name *n, const struct digest *d, const struct spool *body, struct err *e)
{
	const struct config_cache *c = &r->cfg->cache;
	struct blob_source src = { .how = BLOB_BY_LINK, .path = body->path.buf, .fd = body->fd, .most = c->max ? reg_mirror_most(c->max) : 0 };

	return check_size(r, d, body->size, e) < 0 ? -1 : blob_commit(r->st, n, d, &src, e);
}

int reg_mirror_blob(struct registry *r, const struct name *n, const struct digest *d, const struct spool *body, struct err *e)
{
	cleanup_spool struct spool empty = SPOOL_INIT;
	int named = mirror_named(r->st, n, d, e);

	if (named < 0)
		return -1;
	if (!named)
		return err_set(e, ERR_DENIED, "no manifest of %s names %s", n->s, d->text);
	if (r->cfg->max_blob && body->size > r->cfg->max_blob) {
		err_set(e, ERR_SIZE_INVALID, "a blob may have at most %" PRIu64 " bytes", r->cfg->max_blob);
		return err_status(e, 413);
	}
	if (body->fd < 0) {
		if (spool_make(&empty, r->st, e) < 0)
			return -1;
		body = &empty;
	}
	return spool_verify(r->st, body->fd, d, e) < 0 ? -1 : commit(r, n, d, body, e);
}
