/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_FCGI_IO_H
#define BERTH_HTTP_FCGI_IO_H

/* fcgi_io: the streams of a FastCGI request. Only this module and the worker's accept loop use libfcgi. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct FCGX_Request;

/*
 * fcgi_read - read up to len bytes of the body
 * Returns the bytes read, fewer than len only at the end of the body; -1 where the stream ends early: the peer has
 * closed the connection or has sent invalid FastCGI.
 */
ssize_t fcgi_read(struct FCGX_Request *fr, void *buf, size_t len);

/*
 * fcgi_wipe_read    - overwrite the request's bytes in libfcgi's input buffer, but not the parsed parameters
 *                     unread: also the bytes that are not read yet; afterwards nothing can be read
 * fcgi_wipe_written - send the answer so far, and overwrite it in libfcgi's output buffer
 */
void fcgi_wipe_read(struct FCGX_Request *fr, bool unread);
void fcgi_wipe_written(struct FCGX_Request *fr);

/*
 * fcgi_write - write to the answer; bytes in the buffer are sent when the request is finished
 * 0, or -1 where the peer has closed the connection. A small answer fits into the buffer, so that does not show.
 */
int fcgi_write(struct FCGX_Request *fr, const void *buf, size_t len);

/* fcgi_params - the parameters, "NAME=value", NULL at the end; borrowed until the request is finished */
char *const *fcgi_params(struct FCGX_Request *fr);

#endif
