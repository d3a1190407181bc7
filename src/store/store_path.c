/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_path: types to paths.
 *
 * Owns nothing; makes no system call.
 */
#include "store/store_path.h"

#define V2 "docker/registry/v2"

static void add_part(struct str *p, const char *part)
{
	str_addc(p, '/');
	str_puts(p, part);
}

void path_blobs(struct str *p, enum digest_alg alg)
{
	str_reset(p);
	str_addf(p, V2 "/blobs/%s", digest_alg_name(alg));
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
	str_puts(p, "/data");
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
	str_puts(p, "/data");
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
	str_puts(p, "/_layers");
}

void path_layers(struct str *p, const struct name *n, enum digest_alg alg)
{
	path_repository(p, n);
	str_puts(p, "/_layers");
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
	str_puts(p, "/_manifests");
}

void path_revisions(struct str *p, const struct name *n, enum digest_alg alg)
{
	path_manifests(p, n);
	str_puts(p, "/revisions");
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
	str_puts(p, "/tags");
}

void path_tag(struct str *p, const struct name *n, const struct tag *t)
{
	path_tags(p, n);
	add_part(p, t->s);
}

void path_tag_current(struct str *p, const struct name *n, const struct tag *t)
{
	path_tag(p, n, t);
	str_puts(p, "/current/link");
}

void path_tag_index(struct str *p, const struct name *n, const struct tag *t, const struct digest *d)
{
	path_tag(p, n, t);
	str_addf(p, "/index/%s/%s", digest_alg_name(d->alg), digest_hex(d));
}

void path_uploads(struct str *p, const struct name *n)
{
	path_repository(p, n);
	str_puts(p, "/_uploads");
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

void path_index(struct str *p, const struct name *n)
{
	str_reset(p);
	str_addf(p, "berth/index/%s", n->s);
}

void path_index_file(struct str *p, const struct name *n, const char *file)
{
	path_index(p, n);
	add_part(p, file);
}

void path_index_referrers(struct str *p, const struct name *n, const struct digest *subject)
{
	path_index(p, n);
	str_addf(p, "/_referrers/%s/%s", digest_alg_name(subject->alg), digest_hex(subject));
}

void path_repository_lock(struct str *p, unsigned stripe)
{
	str_reset(p);
	str_addf(p, "berth/locks/repository/%02x", stripe & 0xff);
}

unsigned path_repository_above(const struct name *n)
{
	unsigned count = 1;
	size_t i;

	for (i = 0; i < n->len; i++)
		count += n->s[i] == '/';
	return count;
}
