/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_FSCK_H
#define BERTH_CARE_FSCK_H

/*
 * fsck: whether the store is what it ought to be, and mending it, while the registry serves.
 *
 * What appears or vanishes meanwhile is no fault: what looks wrong is looked at a second time with nobody else at work
 * on it (the repository's lock, and the collector's exclusively), before it is told. Garbage is no fault either.
 *
 * Mended is only what needs no guess, and nothing that might be good is deleted: links that say nothing are written
 * anew from the directory that they lie in, where content of that digest is there and right, and go where not; content
 * that is not what its name says moves to berth/quarantine/, so that a push brings it back.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "registry/registry.h"

enum fsck_kind {
	FSCK_FORMAT,
	FSCK_UNREADABLE,                /* a file or directory that the system can't read */
	FSCK_FOREIGN,
	FSCK_STOPPER,                   /* a file that ends the walk of registry:2 */
	FSCK_LEFTOVER,
	FSCK_HALF,                      /* a repository with one of _layers and _manifests */
	FSCK_UPLOAD,
	FSCK_LAYER_LINK, FSCK_LAYER_BARE, FSCK_LAYER_DANGLING,
	FSCK_REVISION_LINK, FSCK_REVISION_BARE, FSCK_REVISION_DANGLING,
	FSCK_TAG_LINK, FSCK_TAG_BARE, FSCK_TAG_DANGLING, FSCK_TAG_INDEX,
	FSCK_MANIFEST_UNREADABLE, FSCK_MANIFEST_TOO_LARGE,
	FSCK_REFERENCE, FSCK_SIZE,
	FSCK_BLOB_BARE, FSCK_BLOB_EMPTY, FSCK_BLOB_MISPLACED, FSCK_BLOB_BYTES,
	FSCK_INDEX_NAMES, FSCK_INDEX_TAGS, FSCK_INDEX_REFERRERS, FSCK_INDEX_DESCRIPTOR, FSCK_INDEX_CATALOG,
	FSCK_INDEX_DAMAGED,
	FSCK_KINDS
};

struct fsck_finding {
	enum fsck_kind kind;
	const char *where;              /* a path below the root, or NAME@DIGEST for a manifest */
	const char *what;
	bool repaired;
	const char *todo;               /* what to do; "" where it is repaired and nothing is left to do */
};

struct fsck_options {
	bool data;                      /* every byte against its digest, too */
	bool repair;
	uint64_t rate;                  /* bytes a second at most that `data` reads; 0: as fast as it goes */
	unsigned jobs;                  /* how many processes read, 1 or more */

	void (*tell)(void *arg, const struct fsck_finding *f);
	void (*progress)(void *arg, uint64_t bytes, uint64_t of);       /* of `data`; may be NULL */
	void *arg;
};

struct fsck_result {
	uint64_t found, repaired;
	uint64_t repositories, tags, manifests, blobs;
	uint64_t bytes;                 /* that were read for `data` */
};

/* fsck_run - check all of the store; 0, or -1 with *e where it could not be done */
int fsck_run(struct registry *r, const struct fsck_options *o, struct fsck_result *out, struct err *e);

const char *fsck_kind_name(enum fsck_kind kind);        /* "layer-link" */

/* fsck_add_text - add a name from the disk to a line of text: control bytes and backslashes become \xNN */
void fsck_add_text(struct str *out, const char *s);

#endif
