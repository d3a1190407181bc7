/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_FCGI_IO_H
#define BERTH_HTTP_FCGI_IO_H

/* fcgi_io: one FastCGI request's streams; with the worker's accept loop the only place that knows libfcgi. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct FCGX_Request;

/*
 * fcgi_read - read from the body's stream, up to its end
 * Returns the bytes read, less than len only at the end; -1 where the stream broke off: the peer went away or sent
 * what is no FastCGI. The end of a stream that broke off must never pass for the end of a body.
 */
ssize_t fcgi_read(struct FCGX_Request *fr, void *buf, size_t len);

/*
 * fcgi_wipe_read    - overwrite what libfcgi's buffer holds of the request, its parameters too, and goes on holding when it is
 *                     freed; the parameters themselves stay. unread: what was not read yet, too; nothing can be read then
 * fcgi_wipe_written - send what was written, and overwrite it in the buffer
 */
void fcgi_wipe_read(struct FCGX_Request *fr, bool unread);
void fcgi_wipe_written(struct FCGX_Request *fr);

/*
 * fcgi_write - write; what is left in the buffer goes when the request is finished
 * 0, or -1 where the peer is known to have gone, which a small answer does not show.
 */
int fcgi_write(struct FCGX_Request *fr, const void *buf, size_t len);

char *const *fcgi_params(struct FCGX_Request *fr);     /* borrowed until the request is finished */

#endif
