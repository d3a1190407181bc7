/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_SOCK_H
#define BERTH_OS_SOCK_H

/* sock: sockets, most of them listening. libfcgi's own function for them exits on errors, and removes paths without being asked. */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

struct sock {
	int fd;                 /* listening, non-blocking */
	int lock_fd;            /* PATH.lock of a Unix socket, locked while the path belongs to this process; else -1 */
	const char *path;       /* of the Unix socket that sock_close() removes, borrowed; NULL: none */
	bool inherited;         /* somebody else holds it, too, and hands it to the next master */
};

#define SOCK_INIT { .fd = -1, .lock_fd = -1 }

/*
 * sock_listen - open a listening socket
 * where  "HOST:PORT", "[V6]:PORT", or the path of a Unix socket (a text that has a '/'); must outlive *s
 *
 * A Unix socket gets mode 0660. The process that holds the lock on PATH.lock owns the path: it replaces the socket of a
 * process that was killed, even if a child of that process still finishes a request. A socket that another process uses is
 * an error. Errors: UNAVAILABLE or UNKNOWN, with a line for the operator in e->cause.
 */
int sock_listen(const char *where, struct sock *s, struct err *e);

/* sock_inherited - the same for an inherited descriptor, of spawn-fcgi or socket activation; from now on no program inherits it from this one */
int sock_inherited(int fd, struct sock *s, struct err *e);

/*
 * sock_activated - the number of sockets that systemd passed (LISTEN_PID, LISTEN_FDS), from descriptor SOCK_ACTIVATED on
 * 0 if systemd passed them to another process. Removes the variables, so that no child inherits them.
 */
#define SOCK_ACTIVATED 3
unsigned sock_activated(void);

/*
 * sock_path - the path of a listening Unix socket
 * False where it has none, or one that is relative to the directory of whoever made it, which may be another than ours.
 */
bool sock_path(int fd, struct str *out);

/*
 * sock_release - close the lock file in a process that only accepts connections; the path remains
 * sock_close   - close all descriptors, and remove the path
 */
void sock_release(const struct sock *s);
void sock_close(struct sock *s);

/*
 * sock_connect - connect to a Unix socket; a descriptor that the caller owns
 * A connection, a read or a write that takes longer than so many seconds fails with EAGAIN. Errors as above.
 */
int sock_connect(const char *path, unsigned seconds, struct err *e);

/* sock_refuse - accept waiting connections and close them at once, up to a bounded number */
void sock_refuse(int fd);

#endif
