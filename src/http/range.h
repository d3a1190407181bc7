/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_RANGE_H
#define BERTH_HTTP_RANGE_H

/* range: the offset of a chunk of an upload, and the bytes of a blob that a client requests. */

#include <stdint.h>

/*
 * content_range_parse - the first and the last byte of a chunk, "a-b" (distribution-spec, "Pushing a blob in chunks")
 *
 * The specification gives only this form, but clients also send those of RFC 9110 (14.4 and 14.2): "bytes a-b/total", also
 * with "*" as total, or "bytes=a-b"; blanks around the parts do not matter, a total of at most b is a fault. *last is below
 * UINT64_MAX, so that a length can be computed. Returns 0, or -1 where the text is malformed, overflows, or a > b.
 */
int content_range_parse(const char *s, uint64_t *first, uint64_t *last);

/*
 * range_bytes - how many bytes of a file of this size the web server sends for a header Range; only for the metrics
 * A range is cut at the end of the file; 0 where it begins behind that. Several ranges, or an invalid one: the whole file.
 */
uint64_t range_bytes(const char *range, uint64_t size);

#endif
