/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_FSCK_LINK_H
#define BERTH_CARE_FSCK_LINK_H

/* fsck_link: the state of a link file, in more detail than a reader needs. */

#include "base/digest.h"
#include "care/fsck_work.h"

enum fsck_link_state {
	FLINK_GONE,             /* no directory */
	FLINK_NONE,             /* a directory without a link */
	FLINK_EMPTY,
	FLINK_GARBAGE,
	FLINK_GOOD,
};

/* fsck_link_state - the state of dir/link; *target is set if it is FLINK_GOOD. Returns 0, or -1 with *e. */
int fsck_link_state(struct fsck_work *w, const char *dir, enum fsck_link_state *state, struct digest *target,
		    struct err *e);

/*
 * fsck_link_dirs - visit the digests that have a directory in above/<alg>/; other entries are reported
 * visit  as a digest_visit, with the path of the directory
 */
typedef int fsck_link_visit(void *arg, const struct digest *d, const char *dir, struct err *e);
int fsck_link_dirs(struct fsck_work *w, const char *above, fsck_link_visit *visit, void *arg, struct err *e);

#endif
