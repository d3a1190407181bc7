/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_BODY_H
#define BERTH_HTTP_BODY_H

/* body: a request's body, as a file or in memory. */

#include "base/err.h"
#include "base/str.h"
#include "http/exchange.h"
#include "store/spool.h"

/*
 * body_spool - the body as a file on the store's file system: the one that nginx spooled, or a copy of the stream
 * The caller releases sp. SIZE_INVALID 400 where the body's length is not its Content-Length or the body ends early, 413
 * beyond blobs.max_size (doc/API.md, "Uploads").
 */
int body_spool(struct exchange *x, struct spool *sp, struct err *e);

/*
 * body_read - the body in memory, at most max bytes; SIZE_INVALID 413 beyond them, 400 as above
 * With a secret `out` it reads only the stream, never a file, and afterwards `out` has the only copy.
 */
int body_read(struct exchange *x, size_t max, struct str *out, struct err *e);

#endif
