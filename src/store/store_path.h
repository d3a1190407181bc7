/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_STORE_PATH_H
#define BERTH_STORE_STORE_PATH_H

/*
 * store_path: the only file that spells the names on disk (doc/STORE.md, "Layout"; distribution's
 * registry/storage/paths.go describes the same tree).
 *
 * Each function replaces the content of *p by a path relative to the root. The arguments are validated types: text of a
 * client reaches a path only through a parser of base/.
 */

#include "base/digest.h"
#include "base/ref.h"
#include "base/str.h"

/* registry:2's part of the store */
#define STORE_DOCKER_DIR "docker"
#define STORE_REGISTRY_DIR STORE_DOCKER_DIR "/registry"
#define STORE_V2_DIR STORE_REGISTRY_DIR "/v2"
#define STORE_BLOBS_DIR STORE_V2_DIR "/blobs"
#define STORE_SHA256_DIR STORE_BLOBS_DIR "/sha256"
#define STORE_SHA512_DIR STORE_BLOBS_DIR "/sha512"
#define STORE_REPOSITORIES_DIR STORE_V2_DIR "/repositories"

/* berth's own part */
#define STORE_BERTH_DIR "berth"
#define STORE_FORMAT_FILE "berth/format"
#define STORE_BODY_DIR "berth/body"
#define STORE_TMP_DIR "berth/tmp"
#define STORE_TRASH_DIR "berth/trash"
#define STORE_GC_DIR "berth/gc"
#define STORE_RUN_FILE "berth/gc/run"
#define STORE_LAST_FILE "berth/gc/last"
#define STORE_RESERVE_DIR "berth/gc/reserve"
#define STORE_LOCKS_DIR "berth/locks"
#define STORE_REPOSITORY_LOCKS_DIR "berth/locks/repository"
#define STORE_TURNSTILE_FILE "berth/locks/turnstile"
#define STORE_COLLECTOR_FILE "berth/locks/collector"
#define STORE_RUN_LOCK_FILE "berth/locks/run"
#define STORE_SERVING_FILE "berth/locks/serving"
#define STORE_ONLINE_FILE "berth/locks/online"          /* every master holds it shared: a collection tries whether it is free */
#define STORE_SETTINGS_FILE "berth/locks/settings"
#define STORE_CATALOG_LOCK_FILE "berth/locks/catalog"
#define STORE_INDEX_DIR "berth/index"
#define STORE_EPOCH_FILE "berth/index/_epoch"
#define STORE_CATALOG_DIR "berth/index/_catalog"        /* no name of a repository begins with '_' */
#define STORE_CATALOG_EPOCH_FILE "berth/index/_catalog/epoch"
#define STORE_FALLBACK_DIR "berth/index/_fallback"      /* of versions before 1.0: removed at the start */
#define STORE_QUARANTINE_DIR "berth/quarantine"         /* content that does not match its digest; fsck moves it there */

/* Entries of the directories below. */
#define STORE_DATA "data"               /* of a blob, or an upload */
#define STORE_LINK "link"               /* of a layer, a revision, or a tag's current/ and index/ */
#define STORE_LAYERS "_layers"
#define STORE_MANIFESTS "_manifests"
#define STORE_REVISIONS "revisions"
#define STORE_TAGS "tags"
#define STORE_CURRENT "current"
#define STORE_TAG_INDEX "index"
#define STORE_UPLOADS "_uploads"
#define STORE_STARTED "startedat"
#define STORE_HASHSTATES "hashstates"   /* of an upload, by registry:2 */
#define STORE_INDEX_NAMES "_names"
#define STORE_INDEX_TAGS "_tags"
#define STORE_INDEX_REFERRERS "_referrers"
#define STORE_INDEX_EPOCH "_epoch"

/* path_in - dir/entry; dir is not *p. For directories that the functions below do not name: temporary ones, those fsck finds */
void path_in(struct str *p, const char *dir, const char *entry);

void path_blobs(struct str *p, enum digest_alg alg);                    /* .../blobs/sha256 */
void path_blobs_part(struct str *p, enum digest_alg alg, unsigned part);   /* .../blobs/sha256/ab; part 0..255 */
void path_blob(struct str *p, const struct digest *d);                  /* .../blobs/sha256/ab/ab…/data */
void path_blob_dir(struct str *p, const struct digest *d);              /* the directory of that */
void path_blob_below(struct str *p, const struct digest *d);            /* the part after .../blobs/: "sha256/ab/ab…/data" */

void path_repository(struct str *p, const struct name *n);
void path_layers_dir(struct str *p, const struct name *n);                             /* .../_layers */
void path_layers(struct str *p, const struct name *n, enum digest_alg alg);            /* .../_layers/sha256 */
void path_layer(struct str *p, const struct name *n, const struct digest *d);          /* the directory of its link */
void path_manifests(struct str *p, const struct name *n);                              /* .../_manifests */
void path_revisions(struct str *p, const struct name *n, enum digest_alg alg);
void path_revision(struct str *p, const struct name *n, const struct digest *d);       /* the directory of its link */
void path_tags(struct str *p, const struct name *n);
void path_tag(struct str *p, const struct name *n, const struct tag *t);
void path_tag_current(struct str *p, const struct name *n, const struct tag *t);       /* .../current/link */
void path_tag_index(struct str *p, const char *tag_dir, const struct digest *d);        /* tag_dir/index/sha256/ab… */
void path_uploads(struct str *p, const struct name *n);
void path_upload(struct str *p, const struct name *n, const struct uuid *u);
void path_upload_file(struct str *p, const struct name *n, const struct uuid *u, const char *file);

/* The indexes, below berth/index/<name>/: see store/index.h. */
void path_index_file(struct str *p, const struct name *n, const char *file);
void path_index_referrers(struct str *p, const struct name *n, const struct digest *subject);
void path_index_referrer(struct str *p, const struct name *n, const struct digest *subject, const struct digest *d);

void path_repository_lock(struct str *p, unsigned stripe);              /* stripe 0..255 */

/* path_repository_above - how many directories lie above a repository's own, up to and with repositories/ */
unsigned path_repository_above(const struct name *n);

#endif
