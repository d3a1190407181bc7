/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_ETAG_H
#define BERTH_BASE_ETAG_H

/* etag: entity tags (RFC 9110, 8.8.3), which here are digests. */

#include <stdbool.h>
#include "base/digest.h"

/*
 * etag_matches - whether an If-Match or If-None-Match names d; header may be NULL
 *
 * A header is a list of tags, separated by commas: quoted, bare (as docker sends a digest), or weak (a proxy may have added
 * W/). "*" alone always matches: the caller knows whether d exists.
 */
bool etag_matches(const char *header, const struct digest *d);

#endif
