/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_H
#define BERTH_CARE_GC_H

/*
 * gc: garbage collection while the registry is in use (doc/STORE.md, "Garbage collection beside writers").
 *
 * Garbage is a link to a blob that no manifest of its repository names, content that no link and no manifest names, and an
 * abandoned upload or temporary file. With `untagged`, or where a rule says so, it is also a manifest without a tag that no index and
 * no existing subject keeps. Nothing is garbage within the grace period. Before anything else the rules of the configuration are
 * applied to tags (care/retain_run.h); a dry run does without that.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

enum gc_kind { GC_TAG, GC_MANIFEST, GC_LINK, GC_BLOB, GC_UPLOAD, GC_LEFTOVER, GC_UNREADABLE, GC_KINDS };

struct gc_options {
	bool dry_run;                   /* report, and change nothing */
	bool untagged;
	bool only_uploads;              /* look for abandoned uploads and leftovers alone; this is no collection: its end is not noted */
	uint64_t every;                 /* seconds: give way where one has ended within them, on any machine; 0: in no case */
	uint64_t grace;                 /* seconds */
	uint64_t uploads;               /* seconds without a change after which an upload is removed */
	uint64_t rate;                  /* manifests, links and blobs checked or removed a second; 0: no limit */

	/*
	 * Called for each thing that is removed, or would be. n and what may be NULL; bytes are those that its removal frees.
	 * GC_UNREADABLE is a manifest that cannot be read: it and everything that its repository links is kept.
	 */
	void (*tell)(void *arg, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes);
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t of);      /* of: 0 if it is unknown */
	void *arg;
};

struct gc_result {
	uint64_t count[GC_KINDS];
	uint64_t bytes;                 /* of content that was removed, or would be */
	uint64_t kept;                  /* blobs that are kept, manifests included */
	bool sized;                     /* kept_bytes is known: a master serves, whose metrics show it */
	uint64_t kept_bytes;
	uint64_t kept_uploads;          /* uploads in progress */
};

/*
 * gc_run - collect
 * Returns 1, 0 if another collection is running or a repository is being moved, -1 with *e: some or all of the garbage is
 * still there.
 */
int gc_run(struct registry *r, const struct gc_options *o, struct gc_result *out, struct err *e);

/* gc_presets - the options from the configuration */
void gc_presets(const struct config *cfg, struct gc_options *o);

/* gc_log - write a collection to the log as one event */
void gc_log(const struct gc_options *o, const struct gc_result *r, uint64_t usec);

#endif
