/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_path: types to paths.
 *
 * Owns nothing; makes no system call.
 */
#include "store/store_path.h"

static void add_part(struct str *p, const char *part)
{
	str_addc(p, '/');
	str_puts(p, part);
}

void path_in(struct str *p, const char *dir, const char *entry)
{
	str_reset(p);
	str_puts(p, dir);
	add_part(p, entry);
}

void path_blobs(struct str *p, enum digest_alg alg)
{
	str_reset(p);
	str_addf(p, STORE_BLOBS_DIR "/%s", digest_alg_name(alg));
}

void path_blobs_part(struct str *p, enum digest_alg alg, unsigned part)
{
	path_blobs(p, alg);
	str_addf(p, "/%02x", part & 0xff);
}

/* A blob's directory below blobs/: "sha256/ab/ab…" */
static void add_blob_dir(struct str *p, const struct digest *d)
{
	const char *hex = digest_hex(d);

	str_puts(p, digest_alg_name(d->alg));
	str_addc(p, '/');
	str_add(p, hex, 2);
	add_part(p, hex);
}

void path_blob_below(struct str *p, const struct digest *d)
{
	str_reset(p);
	add_blob_dir(p, d);
	add_part(p, STORE_DATA);
}

void path_blob_dir(struct str *p, const struct digest *d)
{
	str_reset(p);
	str_puts(p, STORE_BLOBS_DIR "/");
	add_blob_dir(p, d);
}

void path_blob(struct str *p, const struct digest *d)
{
	path_blob_dir(p, d);
	add_part(p, STORE_DATA);
}

void path_repository(struct str *p, const struct name *n)
{
	str_reset(p);
	str_puts(p, STORE_REPOSITORIES_DIR "/");
	str_add(p, n->s, n->len);
}

void path_layers_dir(struct str *p, const struct name *n)
{
	path_repository(p, n);
	add_part(p, STORE_LAYERS);
}

void path_layers(struct str *p, const struct name *n, enum digest_alg alg)
{
	path_layers_dir(p, n);
	add_part(p, digest_alg_name(alg));
}

void path_layer(struct str *p, const struct name *n, const struct digest *d)
{
	path_layers(p, n, d->alg);
	add_part(p, digest_hex(d));
}

void path_manifests(struct str *p, const struct name *n)
{
	path_repository(p, n);
	add_part(p, STORE_MANIFESTS);
}

void path_revisions(struct str *p, const struct name *n, enum digest_alg alg)
{
	path_manifests(p, n);
	add_part(p, STORE_REVISIONS);
	add_part(p, digest_alg_name(alg));
}

void path_revision(struct str *p, const struct name *n, const struct digest *d)
{
	path_revisions(p, n, d->alg);
	add_part(p, digest_hex(d));
}

void path_tags(struct str *p, const struct name *n)
{
	path_manifests(p, n);
	add_part(p, STORE_TAGS);
}

void path_tag(struct str *p, const struct name *n, const struct tag *t)
{
	path_tags(p, n);
	add_part(p, t->s);
}

void path_tag_current(struct str *p, const struct name *n, const struct tag *t)
{
	path_tag(p, n, t);
	add_part(p, STORE_CURRENT "/" STORE_LINK);
}

void path_tag_index(struct str *p, const char *tag_dir, const struct digest *d)
{
	path_in(p, tag_dir, STORE_TAG_INDEX);
	str_addf(p, "/%s/%s", digest_alg_name(d->alg), digest_hex(d));
}

void path_uploads(struct str *p, const struct name *n)
{
	path_repository(p, n);
	add_part(p, STORE_UPLOADS);
}

void path_upload(struct str *p, const struct name *n, const struct uuid *u)
{
	path_uploads(p, n);
	add_part(p, u->s);
}

void path_upload_file(struct str *p, const struct name *n, const struct uuid *u, const char *file)
{
	path_upload(p, n, u);
	add_part(p, file);
}

void path_index_file(struct str *p, const struct name *n, const char *file)
{
	str_reset(p);
	str_addf(p, STORE_INDEX_DIR "/%s/%s", n->s, file);
}

void path_index_referrers(struct str *p, const struct name *n, const struct digest *subject)
{
	path_index_file(p, n, STORE_INDEX_REFERRERS);
	str_addf(p, "/%s/%s", digest_alg_name(subject->alg), digest_hex(subject));
}

void path_index_referrer(struct str *p, const struct name *n, const struct digest *subject, const struct digest *d)
{
	path_index_referrers(p, n, subject);
	add_part(p, d->text);
}

void path_mirror(struct str *p, const struct name *n, const char *dir)
{
	str_reset(p);
	str_addf(p, STORE_MIRROR_DIR "/%s/%s", n->s, dir);
}

void path_mirror_checked(struct str *p, const struct name *n, const struct tag *t)
{
	path_mirror(p, n, STORE_CHECKED);
	add_part(p, t->s);
}

void path_mirror_pinned(struct str *p, const struct name *n, const struct tag *t)
{
	path_mirror(p, n, STORE_PINNED);
	str_addf(p, "/%s", t->s);
}

static void mirror_digest(struct str *p, const struct name *n, const char *dir, const struct digest *d)
{
	path_mirror(p, n, dir);
	add_part(p, digest_alg_name(d->alg));
	add_part(p, digest_hex(d));
}

void path_mirror_named(struct str *p, const struct name *n, const struct digest *d)
{
	mirror_digest(p, n, STORE_NAMED, d);
}

void path_mirror_child(struct str *p, const struct name *n, const struct digest *d)
{
	mirror_digest(p, n, STORE_CHILDREN, d);
}

void path_pulled(struct str *p, const struct name *n)
{
	path_in(p, STORE_PULLED_DIR, n->s);
}

void path_pulled_tags(struct str *p, const struct name *n)
{
	path_pulled(p, n);
	add_part(p, STORE_PULLED_TAGS);
}

void path_pulled_tag(struct str *p, const struct name *n, const struct tag *t)
{
	path_pulled_tags(p, n);
	add_part(p, t->s);
}

void path_pulled_digests(struct str *p, const struct name *n, enum digest_alg alg)
{
	path_pulled(p, n);
	add_part(p, STORE_PULLED_DIGESTS);
	add_part(p, digest_alg_name(alg));
}

void path_pulled_digest(struct str *p, const struct name *n, const struct digest *d)
{
	path_pulled_digests(p, n, d->alg);
	add_part(p, digest_hex(d));
}

void path_undo_marks(struct str *p, const struct name *n)
{
	str_reset(p);
	str_addf(p, STORE_UNDO_DIR "/%s/" STORE_MARKS, n->s);
}

void path_repository_lock(struct str *p, unsigned stripe)
{
	str_reset(p);
	str_addf(p, STORE_REPOSITORY_LOCKS_DIR "/%02x", stripe & 0xff);
}

void path_steps(struct str *p, unsigned stripe)
{
	str_reset(p);
	str_addf(p, STORE_STEP_DIR "/%02x", stripe & 0xff);
}

void path_quota_table(struct str *p, const struct digest *of_group)
{
	str_reset(p);
	str_addf(p, STORE_QUOTA_DIR "/%s", digest_hex(of_group));
}

void path_quota_lock(struct str *p, unsigned stripe)
{
	str_reset(p);
	str_addf(p, STORE_QUOTA_LOCKS_DIR "/%02x", stripe & 0xff);
}

unsigned path_repository_above(const struct name *n)
{
	unsigned count = 1;
	size_t i;

	for (i = 0; i < n->len; i++)
		count += n->s[i] == '/';
	return count;
}
