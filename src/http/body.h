/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_BODY_H
#define BERTH_HTTP_BODY_H

/* body: a request's body, as a file or in memory. */

#include "base/err.h"
#include "base/str.h"
#include "http/exchange.h"
#include "store/spool.h"

/*
 * body_spool - the body as a file on the store's file system: what nginx spooled, or the stream copied to one
 * SIZE_INVALID 400 where it is shorter or longer than Content-Length said, or broke off; 413 past blobs.max_size.
 */
int body_spool(struct exchange *x, struct spool *sp, struct err *e);

/*
 * body_read - the body in memory, at most max bytes; SIZE_INVALID 413 past them, 400 as above
 * Into a buffer that is a secret's only the stream is read, and `out` is the only copy then.
 */
int body_read(struct exchange *x, size_t max, struct str *out, struct err *e);

#endif
