/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_RANGE_H
#define BERTH_HTTP_RANGE_H

/* range: where a chunk of an upload belongs, and how much of a blob is asked for. */

#include <stdint.h>

/*
 * content_range_parse - the place of a chunk, "a-b", both inclusive (distribution-spec, "Pushing a blob in chunks")
 *
 * Not RFC 9110's "bytes a-b/total": the specification gives this form as a regular expression. *last is below
 * UINT64_MAX, so that a length can be computed. Returns 0, or -1 where the text is malformed, overflows, or a > b.
 */
int content_range_parse(const char *s, uint64_t *first, uint64_t *last);

/*
 * range_bytes - how many bytes of a file of this size the web server will send for a header Range: for sums alone
 * One range is cut to what there is; 0 where it lies behind the end. What isn't one range counts as the whole file.
 */
uint64_t range_bytes(const char *range, uint64_t size);

#endif
