/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_RANGE_H
#define BERTH_HTTP_RANGE_H

/* range: where a chunk of an upload belongs. */

#include <stdint.h>

/*
 * content_range_parse - the place of a chunk, "a-b", both inclusive (distribution-spec, "Pushing a blob in chunks")
 *
 * Not RFC 9110's "bytes a-b/total": the specification gives this form as a regular expression. *last is below
 * UINT64_MAX, so that a length can be computed. Returns 0, or -1 where the text is malformed, overflows, or a > b.
 */
int content_range_parse(const char *s, uint64_t *first, uint64_t *last);

#endif
