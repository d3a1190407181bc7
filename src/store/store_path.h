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
#define STORE_PHASE_FILE "berth/gc/phase"
#define STORE_RESERVE_DIR "berth/gc/reserve"
#define STORE_OUT_DIR "berth/gc/out"                    /* what a batch removes, where there may be several machines: store/fence.h */
#define STORE_LOCKS_DIR "berth/locks"
#define STORE_STEP_DIR "berth/locks/step"              /* steps of those who hold a repository's lock, there */
#define STORE_REPOSITORY_LOCKS_DIR "berth/locks/repository"
#define STORE_TURNSTILE_FILE "berth/locks/turnstile"
#define STORE_COLLECTOR_FILE "berth/locks/collector"
#define STORE_RUN_LOCK_FILE "berth/locks/run"
#define STORE_SERVING_FILE "berth/locks/serving"
#define STORE_ONLINE_FILE "berth/locks/online-2"        /* every master holds it shared: a collection tries whether it is free */
#define STORE_ONLINE_1_0_FILE "berth/locks/online"      /* a master of version 1.0.0 holds this one instead: store/believed.h */
#define STORE_SETTINGS_FILE "berth/locks/settings"
#define STORE_MACHINES_DIR "berth/locks/machines"      /* a file of each master, where there may be several machines: store/machines.h */
#define STORE_CATALOG_LOCK_FILE "berth/locks/catalog"
#define STORE_JOURNAL_LOCK_FILE "berth/locks/journal"   /* for beginning and removing segments of the journal */
#define STORE_BARRIER_FILE "berth/locks/barrier"        /* its inode changes last, and is flushed: see store/durable.h */
#define STORE_JOURNAL_DIR "berth/journal"
#define STORE_JOURNAL_RULES_FILE "berth/journal/rules"  /* those of the masters that serve */
#define STORE_READERS_DIR "berth/journal/readers"       /* how far the deliveries of events have come: base/hook_state.h */
#define STORE_READERS_LOCK_FILE "berth/journal/readers/lock"    /* held by the relay that delivers */
#define STORE_INDEX_DIR "berth/index"
#define STORE_EPOCH_FILE "berth/index/_epoch"
#define STORE_CATALOG_DIR "berth/index/_catalog"        /* no name of a repository begins with '_' */
#define STORE_CATALOG_EPOCH_FILE "berth/index/_catalog/epoch"
#define STORE_REPOS_FILE "berth/index/_repos"            /* what lists say of each repository: registry/reg_repo_list.h */
#define STORE_TOUCHED_FILE "berth/index/_touched"        /* which of them have changed since: store/touched.h */
#define STORE_SIZES_FILE "berth/index/_sizes"            /* what repositories had at the last collection: registry/reg_sizes.h */
#define STORE_BELIEVED_LINK "berth/index/_fallback"         /* version 1.0.0 removes it when it starts: see store/believed.h */
#define STORE_PULLED_DIR "berth/pulled"                 /* when tags and manifests were last pulled: store/pulled.h */
#define STORE_PULLED_SINCE "berth/pulled/_since"
#define STORE_RULES_DIR "berth/rules"                   /* which rules have been seen, and when rules ran: care/retain_state.h */
#define STORE_RULES_LAST_FILE "berth/rules/last"
#define STORE_RULES_LOCK_FILE "berth/locks/rules"       /* held by a run of the rules */
#define STORE_UNDO_DIR "berth/undo"                     /* marks of what was deleted or moved: see store/undo.h */
#define STORE_QUOTA_DIR "berth/quota"                   /* the tables of quotas: store/quota_table.h */
#define STORE_QUOTA_RULES_FILE "berth/quota/rules"      /* which repositories are counted together: store/quota_rules.h */
#define STORE_QUOTA_LOCKS_DIR "berth/locks/quota"
#define STORE_QUOTA_WORD_FILE "berth/locks/quota/_word" /* the version of the rules; processes map it */
#define STORE_MIRROR_DIR "berth/mirror"                 /* of repositories that mirror others: see store/mirror.h */
#define STORE_SESSIONS_DIR "berth/sessions"             /* of browsers: see store/session.h */
#define STORE_SESSION_KEY_FILE "berth/sessions/key"
#define STORE_ENDED_DIR "berth/sessions/ended"          /* a directory for each user, by the SHA-256 of the name */
#define STORE_ENDED_ALL "all"   /* in that of a user */
#define STORE_MIRROR_SIZE_FILE "berth/mirror/_size"      /* how many bytes only mirrors have: see store/alone.h */
#define STORE_MIRROR_SIZES_FILE "berth/mirror/_sizes"    /* the same of each upstream: see care/evict_sizes.h */
#define STORE_MIRROR_JUDGED_FILE "berth/mirror/_judged"
#define STORE_MIRROR_DOUBT_FILE "berth/mirror/_doubt"
#define STORE_MIRROR_PENDING_FILE "berth/mirror/_pending" /* content that an eviction has not removed yet: see care/evict_pending.h */
#define STORE_QUARANTINE_DIR "berth/quarantine"         /* content that does not match its digest; fsck moves it there */

/* Entries of the directories below. */
#define STORE_DATA "data"               /* of a blob, or an upload */
#define STORE_LINK "link"               /* of a layer, a revision, or a tag's current/ and index/ */
#define STORE_LAYERS "_layers"
#define STORE_MANIFESTS "_manifests"
#define STORE_REVISIONS "revisions"
#define STORE_TAGS "tags"
#define STORE_CURRENT "current"
#define STORE_PUSHED "pushed-"         /* and a time: of a tag's current/ */
#define STORE_TAG_INDEX "index"
#define STORE_UPLOADS "_uploads"
#define STORE_STARTED "startedat"
#define STORE_HASHSTATES "hashstates"   /* of an upload, by registry:2 */
#define STORE_MARKS "_marks"            /* of a repository, below berth/undo/ */
#define STORE_CHECKED "_checked"
#define STORE_NAMED "_named"
#define STORE_CHILDREN "_children"
#define STORE_PINNED "_pinned"
#define STORE_COPIED "_copied"
#define STORE_INDEX_NAMES "_names"
#define STORE_INDEX_TAGS "_tags"
#define STORE_INDEX_REFERRERS "_referrers"
#define STORE_INDEX_LIST "_list"
#define STORE_INDEX_SUMMARY "_summary"
#define STORE_INDEX_EPOCH "_epoch"
#define STORE_PULLED_TAGS "_tags"
#define STORE_PULLED_DIGESTS "_digests"

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

/* Of a mirrored repository, below berth/mirror/<name>/: see store/mirror.h. */
void path_mirror(struct str *p, const struct name *n, const char *dir);
void path_mirror_checked(struct str *p, const struct name *n, const struct tag *t);
void path_mirror_pinned(struct str *p, const struct name *n, const struct tag *t);
void path_mirror_named(struct str *p, const struct name *n, const struct digest *d);
void path_mirror_child(struct str *p, const struct name *n, const struct digest *d);

/* The last pulls, below berth/pulled/<name>/: see store/pulled.h. */
void path_pulled(struct str *p, const struct name *n);
void path_pulled_tags(struct str *p, const struct name *n);
void path_pulled_tag(struct str *p, const struct name *n, const struct tag *t);
void path_pulled_digests(struct str *p, const struct name *n, enum digest_alg alg);
void path_pulled_digest(struct str *p, const struct name *n, const struct digest *d);
/* path_undo_marks - berth/undo/<name>/_marks */
void path_undo_marks(struct str *p, const struct name *n);

void path_repository_lock(struct str *p, unsigned stripe);              /* stripe 0..255 */
void path_steps(struct str *p, unsigned stripe);
void path_quota_table(struct str *p, const struct digest *of_group);    /* the SHA-256 of the group's text */
void path_quota_lock(struct str *p, unsigned stripe);

/* path_repository_above - how many directories lie above a repository's own, up to and with repositories/ */
unsigned path_repository_above(const struct name *n);

#endif
