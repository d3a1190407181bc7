/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_H
#define BERTH_CARE_GC_H

/*
 * gc: garbage collection while the registry is in use (store.md, "Garbage collection").
 *
 * What is garbage: links to blobs that no manifest of their repository names, content that no link and no manifest
 * names, uploads and temporary files that nobody went on with; and, where asked for, manifests without a tag that no
 * index and no existing subject keeps. All of it only when it is older than the grace time.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

enum gc_kind { GC_MANIFEST, GC_LINK, GC_BLOB, GC_UPLOAD, GC_LEFTOVER, GC_UNREADABLE, GC_KINDS };

struct gc_options {
	bool dry_run;                   /* tell, and change nothing */
	bool untagged;
	uint64_t grace;                 /* seconds */
	uint64_t uploads;               /* seconds without a change after which an upload goes */
	uint64_t rate;                  /* manifests, links and blobs a second that it looks at or removes; 0: no limit */

	/*
	 * Told of each thing that goes, or would. n and what may be NULL; bytes are those that its removal frees.
	 * GC_UNREADABLE is a manifest that cannot be read: it and all that its repository links is kept.
	 */
	void (*tell)(void *arg, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes);
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t of);      /* of: 0 where it isn't known */
	void *arg;
};

struct gc_result {
	uint64_t count[GC_KINDS];
	uint64_t bytes;                 /* of content that went, or would */
	uint64_t kept;                  /* blobs that stay, manifests among them */
	bool sized;                     /* somebody serves who may want to tell them: so their bytes were looked up */
	uint64_t kept_bytes;
	uint64_t kept_uploads;          /* uploads under way */
};

/*
 * gc_run - collect
 * Returns 1 done, 0 where another collection runs (or a repository is being moved), -1 with *e: then nothing was deleted, or less than there is.
 */
int gc_run(struct registry *r, const struct gc_options *o, struct gc_result *out, struct err *e);

/* gc_presets - the options that the configuration gives */
void gc_presets(const struct config *cfg, struct gc_options *o);

/* gc_log - a collection as one event of the log */
void gc_log(const struct gc_options *o, const struct gc_result *r, uint64_t usec);

#endif
