/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_PRECONDITION_H
#define BERTH_REGISTRY_REG_PRECONDITION_H

/* reg_precondition: If-Match and If-None-Match against what a tag points to (RFC 9110, 13.1; doc/API.md, "Conditional PUT and DELETE"). */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/*
 * reg_precondition_check - 0 if the tag meets the condition, or there is none, or ref is a digest; -1 with *e
 * DENIED 412 for a failed one. The caller holds the repository's lock.
 */
int reg_precondition_check(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre, struct err *e);

#endif
