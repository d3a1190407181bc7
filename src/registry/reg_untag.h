/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_UNTAG_H
#define BERTH_REGISTRY_REG_UNTAG_H

/* reg_untag: removing many tags, by a list, a filter, or what a look at either has found before (doc/PAGE.md, "Deleting"). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "os/dir.h"
#include "registry/registry.h"

#define UNTAG_MAX 1000          /* tags of a request */
#define UNTAG_BATCH 50          /* tags that are removed before the lock is released for a moment */

/* Tags, and what is said of each. */
struct untag_list {
	struct untag_entry {
		struct tag tag;
		struct digest digest;   /* text "": none */
		char *why;              /* owned; NULL: nothing */
	} *v;                           /* owned */
	size_t count, cap;
};

#define UNTAG_LIST_INIT { 0 }
void untag_list_release(struct untag_list *l);
#define cleanup_untag_list __attribute__((cleanup(untag_list_release)))

/* untag_list_add - d and why may be NULL */
void untag_list_add(struct untag_list *l, const struct tag *t, const struct digest *d, const char *why);

struct untag_filter {
	const char *pattern;            /* base/glob.h; NULL: every tag */
	bool has_older, has_keep;
	uint64_t older_than;            /* has_older: pushed at least so many seconds ago */
	uint64_t keep_newest;           /* has_keep: not the latest of those that match the pattern, by push */
};

struct untag_found {
	struct untag_list goes;         /* in byte order of the tags, with their digests */
	struct untag_list stays;        /* immutable, or not there */
	struct str next;                /* the tag to go on behind; "": there are no more */
};

#define UNTAG_FOUND_INIT { .goes = UNTAG_LIST_INIT, .stays = UNTAG_LIST_INIT, .next = STR_INIT }
void untag_found_release(struct untag_found *f);
#define cleanup_untag_found __attribute__((cleanup(untag_found_release)))

/*
 * What would go: of the tags behind `after`, in byte order, the first UNTAG_MAX
 * reg_untag_list   - of these, which are tags
 * reg_untag_filter - of those that the filter matches; UNSUPPORTED 400 if more than ORDER_MAX match its pattern
 * Acquires no lock. NAME_UNKNOWN 404.
 */
int reg_untag_list(struct registry *r, const struct name *n, struct names *tags, const char *after, struct untag_found *out, struct err *e);
int reg_untag_filter(struct registry *r, const struct name *n, const struct untag_filter *filter, const char *after, struct untag_found *out,
		     struct err *e);

/*
 * reg_untag - remove what goes, durably, as DELETE by tag does: the first ones are in `deleted`, without digests
 * A tag that does not point to its digest any more is in `changed`; one that is immutable by now in out->stays. It ends early, with out->next, once
 * it has worked for a second. On an error some are removed.
 */
int reg_untag(struct registry *r, const struct name *n, struct untag_found *out, struct untag_list *deleted, struct untag_list *changed,
	      struct err *e);

/*
 * reg_untag_token - what goes, as text: tags and digests
 * reg_untag_parse - the same back, without what is not behind `after`: 0, or -1 if it is no such text, or another repository's
 * A token is no secret and no permission: whoever may delete may name the same tags.
 */
void reg_untag_token(const struct name *n, const struct untag_list *goes, struct str *out);
int reg_untag_parse(const struct name *n, const char *token, size_t len, const char *after, struct untag_list *goes);

#endif
