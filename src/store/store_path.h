/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_STORE_PATH_H
#define BERTH_STORE_STORE_PATH_H

/*
 * store_path: the one file that knows the layout on disk (store.md, "Layout"; distribution's registry/storage/paths.go
 * describes the same tree).
 *
 * Each function replaces what is in *p by a path relative to the root. They take only validated types, so no text of
 * a client becomes a path but through one of the parsers of base/.
 */

#include "base/digest.h"
#include "base/ref.h"
#include "base/str.h"

#define STORE_FORMAT_FILE "berth/format"
#define STORE_BODY_DIR "berth/body"
#define STORE_TMP_DIR "berth/tmp"
#define STORE_TRASH_DIR "berth/trash"
#define STORE_LOCKS_DIR "berth/locks"
#define STORE_TURNSTILE_FILE "berth/locks/turnstile"
#define STORE_COLLECTOR_FILE "berth/locks/collector"
#define STORE_GC_DIR "berth/gc"
#define STORE_RUN_FILE "berth/gc/run"
#define STORE_LAST_FILE "berth/gc/last"
#define STORE_RESERVE_DIR "berth/gc/reserve"
#define STORE_RUN_LOCK_FILE "berth/locks/run"
#define STORE_SERVING_FILE "berth/locks/serving"
#define STORE_ONLINE_FILE "berth/locks/online"            /* shared by all who serve: a collection tries whether it is free */
#define STORE_SETTINGS_FILE "berth/locks/settings"
#define STORE_CATALOG_LOCK_FILE "berth/locks/catalog"
#define STORE_EPOCH_FILE "berth/index/_epoch"
#define STORE_CATALOG_DIR "berth/index/_catalog"        /* a repository's name never begins with '_' */
#define STORE_FALLBACK_DIR "berth/index/_fallback"       /* of versions before 1.0: removed at the start */
#define STORE_QUARANTINE_DIR "berth/quarantine"         /* content that is not what its name says; fsck puts it there */
#define STORE_REPOSITORIES_DIR "docker/registry/v2/repositories"
#define STORE_BLOBS_DIR "docker/registry/v2/blobs"

void path_blobs(struct str *p, enum digest_alg alg);                    /* .../blobs/sha256 */
void path_blob(struct str *p, const struct digest *d);                  /* .../blobs/sha256/ab/ab…/data */
void path_blob_dir(struct str *p, const struct digest *d);              /* the directory of that */
void path_blob_below(struct str *p, const struct digest *d);            /* what follows .../blobs/: "sha256/ab/ab…/data" */

void path_repository(struct str *p, const struct name *n);
void path_layers_dir(struct str *p, const struct name *n);                             /* .../_layers */
void path_layers(struct str *p, const struct name *n, enum digest_alg alg);            /* .../_layers/sha256 */
void path_layer(struct str *p, const struct name *n, const struct digest *d);          /* the directory that holds "link" */
void path_manifests(struct str *p, const struct name *n);                              /* .../_manifests */
void path_revisions(struct str *p, const struct name *n, enum digest_alg alg);
void path_revision(struct str *p, const struct name *n, const struct digest *d);       /* the directory that holds "link" */
void path_tags(struct str *p, const struct name *n);
void path_tag(struct str *p, const struct name *n, const struct tag *t);
void path_tag_current(struct str *p, const struct name *n, const struct tag *t);       /* .../current/link */
void path_tag_index(struct str *p, const struct name *n, const struct tag *t, const struct digest *d);
void path_uploads(struct str *p, const struct name *n);
void path_upload(struct str *p, const struct name *n, const struct uuid *u);
void path_upload_file(struct str *p, const struct name *n, const struct uuid *u, const char *file);

/* What is derived from the links, below berth/index/<name>/; see store/index.h. */
void path_index(struct str *p, const struct name *n);
void path_index_file(struct str *p, const struct name *n, const char *file);
void path_index_referrers(struct str *p, const struct name *n, const struct digest *subject);

void path_repository_lock(struct str *p, unsigned stripe);              /* stripe 0..255 */

/* path_repository_above - how many directories lie above a repository's own, up to and with repositories/ */
unsigned path_repository_above(const struct name *n);

#endif
