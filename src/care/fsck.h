/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_FSCK_H
#define BERTH_CARE_FSCK_H

/*
 * fsck: check the store and repair it, while the registry serves.
 *
 * Something that appears or disappears meanwhile is no fault: whatever looks wrong is checked a second time, with the repository's
 * lock and the collector's exclusive lock held, before it is reported. Garbage is no fault either.
 *
 * A repair never guesses, and never deletes anything that might be good. A link that holds no digest is written anew, from the name
 * of its directory, if content of that digest exists and its bytes are right; else the link is removed. Content that does not
 * match its digest is moved to berth/quarantine/, so that a push brings it back.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "registry/registry.h"

enum fsck_kind {
	FSCK_FORMAT,
	FSCK_UNREADABLE,                /* a file or directory that the system cannot read */
	FSCK_DENIED,                    /* one that the registry's user cannot write */
	FSCK_FOREIGN,
	FSCK_STOPPER,                   /* a file that ends the walk of registry:2's collector */
	FSCK_LEFTOVER,
	FSCK_HALF,                      /* a repository with only one of _layers and _manifests */
	FSCK_UPLOAD,
	FSCK_LAYER_LINK, FSCK_LAYER_BARE, FSCK_LAYER_DANGLING,
	FSCK_REVISION_LINK, FSCK_REVISION_BARE, FSCK_REVISION_DANGLING,
	FSCK_TAG_LINK, FSCK_TAG_BARE, FSCK_TAG_DANGLING, FSCK_TAG_INDEX,
	FSCK_MANIFEST_UNREADABLE, FSCK_MANIFEST_TOO_LARGE,
	FSCK_REFERENCE, FSCK_SIZE,
	FSCK_BLOB_BARE, FSCK_BLOB_EMPTY, FSCK_BLOB_MISPLACED, FSCK_BLOB_BYTES,
	FSCK_INDEX_NAMES, FSCK_INDEX_TAGS, FSCK_INDEX_REFERRERS, FSCK_INDEX_DESCRIPTOR, FSCK_INDEX_CATALOG,
	FSCK_INDEX_SUMMARY,             /* what lists say of a tag is wrong */
	FSCK_INDEX_DAMAGED,
	FSCK_QUOTA,                     /* the table of a quota says something else than the links */
	FSCK_KINDS
};

struct fsck_finding {
	enum fsck_kind kind;
	const char *where;              /* a path below the root, or NAME@DIGEST for a manifest */
	const char *what;
	bool repaired;
	const char *todo;               /* what to do; "" if nothing is left to do */
};

struct fsck_options {
	bool data;                      /* also compare every byte with its digest */
	bool repair;
	uint64_t rate;                  /* bytes a second that `data` reads at most; 0: no limit */
	unsigned jobs;                  /* how many processes read, at least 1 */

	void (*tell)(void *arg, const struct fsck_finding *f);
	void (*progress)(void *arg, uint64_t bytes, uint64_t of);       /* of `data`; may be NULL */
	void *arg;
};

struct fsck_result {
	uint64_t found, repaired;
	uint64_t repositories, tags, manifests, blobs;
	uint64_t bytes;                 /* read for `data` */
};

/* fsck_run - check the whole store; 0, or -1 with *e if the check could not be finished */
int fsck_run(struct registry *r, const struct fsck_options *o, struct fsck_result *out, struct err *e);

const char *fsck_kind_name(enum fsck_kind kind);        /* "layer-link" */

/* fsck_add_text - add a name from the disk to a line of text; control bytes and backslashes become \xNN */
void fsck_add_text(struct str *out, const char *s);

#endif
