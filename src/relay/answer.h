/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_ANSWER_H
#define BERTH_RELAY_ANSWER_H

/* answer: what the relay answers when it is not the bytes of a blob (doc/CACHE.md, "How it works"); and the ranges that clients ask for. */

#include "base/digest.h"
#include "base/err.h"
#include "relay/server.h"
#include "relay/upstream.h"

/* answer_error - the registry's error, as the workers say it. With 503 there is a Retry-After */
void answer_error(struct reply *r, int status, enum err_code code, const char *detail);

/* answer_fresh - what is here is what upstream has: a worker serves it */
void answer_fresh(struct reply *r);

/* answer_stale - upstream did not answer: a worker serves what is here, with a warning, or says that it cannot */
void answer_stale(struct reply *r, enum upstream_kind why);

/* answer_blob_headers - add those of a blob or a range of it. For its client alone: the relay does not know who else may have it */
void answer_blob_headers(const struct digest *d, struct str *out);

/* answer_blob_failed - the error where there is no blob; ours: the fault, found here, NULL: upstream gave none; status: of that */
void answer_blob_failed(struct reply *r, enum upstream_kind kind, const char *ours, int status);

/*
 * answer_range - the bytes [*first, *end) of `size` that a header Range asks for (RFC 9110, 14.2)
 * Returns 206 for one range that has bytes, 416 for one that has none, 200 with all of it for anything else.
 */
int answer_range(const char *range, uint64_t size, uint64_t *first, uint64_t *end);

#endif
