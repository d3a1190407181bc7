/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_RULES_H
#define BERTH_REGISTRY_REG_RULES_H

/*
 * reg_rules: what rules do not allow (doc/RULES.md, "Immutable tags", "Limits").
 *
 * The caller of a check that looks at tags holds the repository's lock until the change is made. Where rules say nothing about a
 * repository, no check makes a system call. A refusal names the rule by its pattern; its file is not for clients. With
 * r->force immutable tags and a rule's readonly prevent nothing.
 */

#include <stdbool.h>
#include "base/digestlist.h"
#include "base/digestset.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/* The status of a refusal because of an immutable tag: doc/RULES.md, "What clients show". */
#define REG_RULES_IMMUTABLE 403

/*
 * reg_rules_push - whether these tags may be set to d
 * DENIED REG_RULES_IMMUTABLE if one is immutable and points to something else. DENIED 403 if the repository would have more tags
 * than max_tags says; a tag that exists already does not count.
 */
int reg_rules_push(struct registry *r, const struct name *n, const struct tag *tags, size_t count, const struct digest *d, struct err *e);

/* reg_rules_untag - whether this tag, which exists, may be removed: DENIED REG_RULES_IMMUTABLE if it is immutable */
int reg_rules_untag(struct registry *r, const struct name *n, const struct tag *t, struct err *e);

/* What a search without the lock has found out about a digest: for the same search under it. */
struct reg_rules_known {
	struct digestset seen;          /* manifests that immutable tags need; none names the digest */
	struct digest_list absent;      /* what they name and the repository does not have */
};

#define REG_RULES_KNOWN_INIT { .absent = DIGEST_LIST_INIT }
void reg_rules_forget(struct reg_rules_known *known);
#define cleanup_reg_rules __attribute__((cleanup(reg_rules_forget)))

/*
 * reg_rules_protects - whether any tag of the repository can be immutable
 * reg_rules_remove   - whether the manifest or blob d of the repository may be removed
 * DENIED REG_RULES_IMMUTABLE if an immutable tag needs it: points to it, or to a manifest that names it, at any depth; also if
 * a manifest that an immutable tag needs cannot be read, or has lost its content. It reads all manifests that the immutable tags need, each
 * once, but for those that reg_rules_look() has read.
 *
 * reg_rules_look     - the same, of a manifest or blob that is there, before the lock is acquired; reg_rules_remove() has to follow under it, and
 *                      then reads only what immutable tags need since then, because content never changes
 * 0 also where it can't be decided without the lock.
 */
bool reg_rules_protects(const struct registry *r, const struct name *n);
int reg_rules_remove(struct registry *r, const struct name *n, const struct digest *d, struct reg_rules_known *known, struct err *e);
int reg_rules_look(struct registry *r, const struct name *n, const struct digest *d, struct reg_rules_known *known, struct err *e);

/* reg_rules_repository - whether the whole repository may be removed or renamed: DENIED REG_RULES_IMMUTABLE if it has an immutable tag */
int reg_rules_repository(struct registry *r, const struct name *n, struct err *e);

/* reg_rules_writable - whether commands may change the repository: UNSUPPORTED 405 if a rule says readonly. Looks at nothing */
int reg_rules_writable(const struct registry *r, const struct name *n, struct err *e);

/* A blob, or a manifest, that is bigger than the repository may have: sets SIZE_INVALID 413, and returns -1. */
int reg_rules_too_large(const struct registry *r, const struct name *n, struct err *e);
int reg_rules_manifest_too_large(const struct registry *r, const struct name *n, struct err *e);

#endif
