/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_SOCK_H
#define BERTH_OS_SOCK_H

/* sock: listening sockets. libfcgi's own way to make them exits on errors and removes paths unasked. */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

struct sock {
	int fd;                 /* listening, non-blocking */
	int lock_fd;            /* of a Unix socket: PATH.lock, locked as long as the path is ours; else -1 */
	const char *path;       /* borrowed; NULL where there is none, or it isn't ours to remove */
};

#define SOCK_INIT { .fd = -1, .lock_fd = -1 }

/*
 * sock_listen - a listening socket
 * where  "HOST:PORT", "[V6]:PORT", or the path of a Unix socket (anything with a '/'); outlives *s
 *
 * A Unix socket gets mode 0660. Whoever holds the lock beside the path owns it: it takes over what a killed process
 * left, even while a child of that process still finishes a request. Another's socket that is in use is an error.
 * Errors: UNAVAILABLE or UNKNOWN with the operator's line in e->cause.
 */
int sock_listen(const char *where, struct sock *s, struct err *e);

/* sock_inherited - the same for a descriptor that is handed over, as by spawn-fcgi and socket activation */
int sock_inherited(int fd, struct sock *s, struct err *e);

/*
 * sock_activated - how many sockets systemd has handed over (LISTEN_PID, LISTEN_FDS), from descriptor SOCK_ACTIVATED on
 * 0 where it was not this process that it started. The variables are gone afterwards: they are not for who comes next.
 */
#define SOCK_ACTIVATED 3
unsigned sock_activated(void);

/* sock_release - let go of the path without touching it, in a process that only accepts; sock_close - close all, remove the path */
void sock_release(const struct sock *s);
void sock_close(struct sock *s);

/* sock_refuse - accept what waits on a listening socket and close it at once, up to a bounded number */
void sock_refuse(int fd);

#endif
