/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_FSCK_WORK_H
#define BERTH_CARE_FSCK_WORK_H

/* fsck_work: shared by the parts of a check: reports, repairs, the second look. */

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
	struct fsck_blob *blobs;        /* for `data`: their bytes will be read */
	size_t nblobs, blobs_cap;
	struct digestset good, corrupt; /* content whose bytes fsck_content_good() has compared with its digest */
	struct names repositories;      /* all that exist, unsorted */
	struct names trashed;           /* removed from the trash when the locks are released */
	struct names unreadable;        /* paths that have been reported */
	bool again;                     /* the second look: strays in directories were reported in the first */
};

/* A fault to report. */
struct fsck_fault {
	enum fsck_kind kind;
	const char *where;
	const char *todo;               /* NULL: the text of the kind */
	bool moves;                     /* the repair moves content to berth/quarantine/; only a push brings it back */
	int (*repair)(struct fsck_work *w, const void *arg, struct err *e);       /* NULL: beyond repair */
	const void *arg;
};

/* fsck_report - repair the fault if the options say so and it can be repaired, and report it */
void fsck_report(struct fsck_work *w, const struct fsck_fault *f, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * fsck_twice - check, and if something seems wrong check again with the locks held
 * n      the repository whose lock is acquired, or NULL
 * check  returns 0 if nothing is wrong, 1 if something seems wrong, -1 with *e. It reports only with `sure`, when the locks are
 *        held; long work (hashing) belongs into the first look.
 */
typedef int fsck_check(struct fsck_work *w, void *arg, bool sure, struct err *e);
int fsck_twice(struct fsck_work *w, const struct name *n, fsck_check *check, void *arg, struct err *e);

/* fsck_concerns_one - whether a failure concerns one file or directory, not the process or the whole file system */
bool fsck_concerns_one(const struct err *e);

/*
 * fsck_unreadable - report a failure that concerns one file or directory, so that the check goes on
 * Returns 0 with *e empty; -1 with *e unchanged if it is another kind of failure.
 */
int fsck_unreadable(struct fsck_work *w, struct err *e);

/* fsck_type - the type of a name (S_IFREG and so on), not following links, or 0 if it does not exist */
mode_t fsck_type(struct fsck_work *w, const char *path);

/*
 * fsck_list - list a directory: 1, 0 if it does not exist or cannot be read, which is reported
 * A name that begins with '_' and is no directory is reported by the walk of the repository instead.
 */
int fsck_list(struct fsck_work *w, const char *dir, struct names *out);

/* fsck_files - check that each of these entries of dir, if it exists, is a readable file; the list ends with NULL */
void fsck_files(struct fsck_work *w, const char *dir, const char *const *names);

/* fsck_stray - report an entry of dir that does not belong there */
void fsck_stray(struct fsck_work *w, const char *dir, const char *name);

/* fsck_ignored - whether a network file system makes such a name by itself */
bool fsck_ignored(const char *name);

/*
 * fsck_manifest_bytes - read the whole content of a manifest
 * Returns 1, 0 if it is absent, 2 with *size if it is larger than manifests.max_size, -1 with *e.
 */
int fsck_manifest_bytes(struct fsck_work *w, const struct digest *content, struct str *bytes, uint64_t *size,
			struct err *e);

/*
 * fsck_content_good - whether content of the digest exists and its bytes are right: 1, 0, or -1 with *e
 * The bytes are read once in a run; with `repair` again if they were corrupt, since a push may have replaced them.
 */
int fsck_content_good(struct fsck_work *w, const struct digest *d, struct err *e);

/*
 * Repairs, with the locks held:
 * fsck_remove         - remove a directory or file, durably, by one rename
 * fsck_clear          - remove something that is in the place of a file and is no file
 * fsck_quarantine     - move the file at `path` to berth/quarantine/<alg>-<hex>, and remove its directory
 * fsck_repair_remove  - for struct fsck_fault: fsck_remove(); arg is the path
 * fsck_repair_content - for struct fsck_fault: fsck_quarantine() of a blob; arg is its digest
 */
int fsck_remove(struct fsck_work *w, const char *path, struct err *e);
int fsck_clear(struct fsck_work *w, const char *path, struct err *e);
int fsck_quarantine(struct fsck_work *w, const char *path, const struct digest *d, struct err *e);
int fsck_repair_remove(struct fsck_work *w, const void *arg, struct err *e);
int fsck_repair_content(struct fsck_work *w, const void *arg, struct err *e);

/* The parts, in the order in which they run. Each returns 0, or -1 with *e. */
int fsck_access(struct fsck_work *w, struct err *e);
int fsck_blobs(struct fsck_work *w, struct err *e);
int fsck_data(struct fsck_work *w, struct err *e);
int fsck_repositories(struct fsck_work *w, struct err *e);
int fsck_undo(struct fsck_work *w, struct err *e);
int fsck_rules(struct fsck_work *w, struct err *e);

/* The parts of a repository. */
int fsck_layers(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_revisions(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_tags(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_manifest(struct fsck_work *w, const struct name *n, const struct digest *d, struct err *e);
int fsck_uploads(struct fsck_work *w, const struct name *n, struct err *e);
int fsck_index(struct fsck_work *w, const struct name *n, struct err *e);       /* n NULL: the catalog, at the end */
/* fsck_summary - of an index that is current: tell() is given each fault in two parts */
int fsck_summary(struct fsck_work *w, const struct name *n, void (*tell)(void *arg, const char *what, const char *text), void *arg, struct err *e);
int fsck_quota(struct fsck_work *w, struct err *e);

#endif
