/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_PULL_H
#define BERTH_REGISTRY_REG_PULL_H

/*
 * reg_pull: what is remembered of pulls: when the last one was (doc/RULES.md, "How it works"), and each in the journal, for those who ask for
 * that (doc/EVENTS.md, "An event").
 */

#include "base/digest.h"
#include "base/ref.h"
#include "registry/registry.h"

/* reg_pull_noted - whether pulls are written down: else nobody needs to know who asks */
bool reg_pull_noted(const struct registry *r);

/*
 * reg_pull_note - write down that a manifest or a blob is being read, without a flush; does nothing unless reg_pull_noted()
 * tag         by which it was asked for; NULL: by its digest
 * media_type  of a manifest; NULL: it is a blob
 *
 * The pull waits for nobody: what cannot be written at once is left out, and logged.
 */
void reg_pull_note(struct registry *r, const struct name *n, const struct tag *tag, const struct digest *d, const char *media_type, uint64_t size);

/*
 * reg_pull_seen - a manifest is answered with 200 or 304: note the time, see store/pulled.h
 * tag  by which it was asked for; NULL: by its digest. Does nothing where the registry is read-only.
 */
void reg_pull_seen(struct registry *r, const struct name *n, const struct tag *tag, const struct digest *d);

#endif
