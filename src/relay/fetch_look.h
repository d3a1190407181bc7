/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FETCH_LOOK_H
#define BERTH_RELAY_FETCH_LOOK_H

/*
 * fetch_look: HEAD of a blob that is not here. Upstream is asked once for all who ask at the same time, and nothing is downloaded if it tells
 * the size.
 */

#include "base/digest.h"
#include "relay/fetch.h"

struct looks;

/* Upstream has the blob, or cannot be asked by HEAD, and does not tell the size: the reply is to be answered in another way. keep: as looks_get() */
typedef void looks_unknown(void *arg, const struct fetch_ask *a, const struct digest *digest, bool keep, struct reply *r);

struct looks *looks_open(struct fetch_env *env, looks_unknown *unknown, void *arg);
void looks_close(struct looks **ls);            /* after the server: replies that wait are gone */

/* looks_get - answer with the size of a blob; keep: a manifest that is here names it */
void looks_get(struct looks *ls, const struct fetch_ask *a, const struct digest *digest, bool keep, struct reply *r);

#endif
