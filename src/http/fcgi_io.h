/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_FCGI_IO_H
#define BERTH_HTTP_FCGI_IO_H

/* fcgi_io: one FastCGI request's streams; with the worker's accept loop the only place that knows libfcgi. */

#include <stddef.h>
#include <sys/types.h>

struct FCGX_Request;

/*
 * fcgi_read - read from the body's stream, up to its end
 * Returns the bytes read, less than len only at the end; -1 where the stream broke off: the peer went away or sent
 * what is no FastCGI. The end of a stream that broke off must never pass for the end of a body.
 */
ssize_t fcgi_read(struct FCGX_Request *fr, void *buf, size_t len);

/* fcgi_read_secret - the same, and what was read is not left in the stream's buffer */
ssize_t fcgi_read_secret(struct FCGX_Request *fr, void *buf, size_t len);

/*
 * fcgi_write - write; what is left in the buffer goes when the request is finished
 * 0, or -1 where the peer is known to have gone, which a small answer does not show.
 */
int fcgi_write(struct FCGX_Request *fr, const void *buf, size_t len);

char *const *fcgi_params(struct FCGX_Request *fr);     /* borrowed until the request is finished */

#endif
