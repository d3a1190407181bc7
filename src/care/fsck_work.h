/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_FSCK_WORK_H
#define BERTH_CARE_FSCK_WORK_H

/* fsck_work: what the parts of a check share: telling, mending, the second look. */

#include <sys/types.h>
#include "base/digest.h"
#include "base/digestset.h"
#include "base/ref.h"
#include "care/fsck.h"
#include "os/dir.h"

struct fsck_blob {
	struct digest d;
	uint64_t size;
};

struct fsck_work {
	struct registry *r;
	const struct fsck_options *o;
	struct fsck_result *out;
	struct fsck_blob *blobs;        /* whose bytes are to be read */
	size_t nblobs, blobs_cap;
	struct digestset good, corrupt; /* content whose bytes have been compared with its digest */
	struct names repositories;      /* that there are, in no order */
	struct names trashed;           /* to be emptied when the locks are let go */
	struct names unreadable;        /* of which it is told */
	bool again;                     /* the second look: what does not belong in a directory was told in the first */
};

/* A fault, as it is told. */
struct fsck_fault {
	enum fsck_kind kind;
	const char *where;
	const char *todo;               /* NULL: what is said of the kind */
	bool moves;                     /* mending moves content to berth/quarantine/, and only a push brings it back */
	int (*mend)(struct fsck_work *w, const void *arg, struct err *e);       /* NULL: beyond repair */
	const void *arg;
};

/* fsck_report - mend the fault where that is asked for and possible, and tell of it */
void fsck_report(struct fsck_work *w, const struct fsck_fault *f, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * fsck_twice - look, and look again where something seems wrong, with nobody else at work
 * n      the repository whose lock is taken, or NULL
 * check  returns 0 where nothing is wrong, 1 where something seems so, -1 with *e; only with `sure` does it report.
 *        The locks are held then: what takes long (hashing) is done before, in the first look.
 */
typedef int fsck_check(struct fsck_work *w, void *arg, bool sure, struct err *e);
int fsck_twice(struct fsck_work *w, const struct name *n, fsck_check *check, void *arg, struct err *e);

/* fsck_concerns_one - whether a failure is that of one file or directory, and not of the process or the whole file system */
bool fsck_concerns_one(const struct err *e);

/*
 * fsck_unreadable - tell of a failure that concerns one file or directory, so that the rest is still looked at
 * Returns 0 told, and *e is empty again; -1 where the failure is of another sort.
 */
int fsck_unreadable(struct fsck_work *w, struct err *e);

/* fsck_type - the type of what has this name (S_IFREG and so on), or 0 where nothing has */
mode_t fsck_type(struct fsck_work *w, const char *path);

/*
 * fsck_list - the names in a directory: 1, 0 where it is gone or can't be read, which is told
 * Of what begins with '_' and is no directory tells who walks the repository.
 */
int fsck_list(struct fsck_work *w, const char *dir, struct names *out);

/* fsck_files - that each of these entries of dir, where it is there, is a file to read; the list ends with NULL */
void fsck_files(struct fsck_work *w, const char *dir, const char *const *names);

/* fsck_stray - an entry of dir that does not belong there */
void fsck_stray(struct fsck_work *w, const char *dir, const char *name);

/* fsck_ignored - whether a name is one that a network file system makes by itself */
bool fsck_ignored(const char *name);

/*
 * fsck_manifest_bytes - what lies under `content`, whole
 * Returns 1, 0 where it is absent, 2 where it is larger than a manifest may be, -1 with *e.
 */
int fsck_manifest_bytes(struct fsck_work *w, const struct digest *content, struct str *bytes, uint64_t *size,
			struct err *e);

/*
 * fsck_content_good - whether content of the digest exists and its bytes are right: 1, 0, or -1 with *e
 * The bytes are read once in a run; but with `repair` again if they were corrupt, since a push may have replaced them.
 */
int fsck_content_good(struct fsck_work *w, const struct digest *d, struct err *e);

/*
 * What mending consists of; with the locks held.
 * fsck_remove     - take a directory or file away by one rename, durably
 * fsck_clear      - the same with what lies in a file's place and is none
 * fsck_quarantine - move the file at `path` to berth/quarantine/<alg>-<hex>, and take its directory away
 */
int fsck_remove(struct fsck_work *w, const char *path, struct err *e);
int fsck_clear(struct fsck_work *w, const char *path, struct err *e);
int fsck_quarantine(struct fsck_work *w, const char *path, const struct digest *d, struct err *e);
int fsck_mend_remove(struct fsck_work *w, const void *arg, struct err *e);
int fsck_mend_content(struct fsck_work *w, const void *arg, struct err *e);

/* The parts, in the order in which they run. Each returns 0, or -1 with *e. */
int fsck_blobs(struct fsck_work *w, struct err *e);
int fsck_data(struct fsck_work *w, struct err *e);
int fsck_repositories(struct fsck_work *w, struct err *e);
int fsck_catalog(struct fsck_work *w, struct err *e);

/* The parts of a repository. */
int fsck_layers(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_revisions(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_tags(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_manifest(struct fsck_work *w, const struct name *n, const struct digest *d, struct err *e);
int fsck_uploads(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_index(struct fsck_work *w, const struct name *n, struct err *e);

#endif
