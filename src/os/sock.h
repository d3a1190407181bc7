/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_SOCK_H
#define BERTH_OS_SOCK_H

/* sock: listening sockets. libfcgi's own way to make them exits on errors and removes paths unasked. */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

/*
 * sock_listen - a listening, non-blocking socket that the caller owns
 * where  "HOST:PORT", "[V6]:PORT", or the path of a Unix socket (anything with a '/')
 *
 * A Unix socket gets mode 0660; a path that nobody listens on any more is taken over, one in use is an error.
 * Errors: UNAVAILABLE or UNKNOWN with the operator's line in e->cause.
 */
int sock_listen(const char *where, int *fd, struct err *e);

/* sock_inherited - check that fd is a listening socket, as spawn-fcgi and socket activation hand it over */
int sock_inherited(int fd, struct err *e);

/* sock_refuse - accept what waits on a listening socket and close it at once; the number of connections */
unsigned sock_refuse(int fd);

#endif
