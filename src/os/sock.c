/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock: sockets for FastCGI.
 *
 * Owns nothing. Does not know FastCGI itself.
 */
#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "os/file.h"
#include "os/lock.h"

#define BACKLOG 1024
#define ACTIVATED_MAX 64
#define REFUSE_MAX 256          /* connections in one call: the caller has other work, too */

static int make_listening(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -1;
	return listen(fd, BACKLOG);
}

/*
 * Removes a socket that is no longer in use from the path. `ours`: the lock file existed before. Then only a berth-fcgi can
 * have listened here, and it has released the lock. Otherwise the socket is in use unless it refuses a connection.
 */
static int clear_path(const struct sockaddr_un *sa, bool ours, struct err *e)
{
	cleanup_fd int fd = -1;
	struct stat sb;

	if (lstat(sa->sun_path, &sb) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at %s", sa->sun_path);
	if (!S_ISSOCK(sb.st_mode)) {
		errno = ENOTSOCK;
		return err_sys(e, "%s exists and is not a socket; remove it, or listen on another path", sa->sun_path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "cannot make a socket");
	if (!ours && connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
		errno = EADDRINUSE;
	if (!ours && errno != ECONNREFUSED)
		return err_sys(e, "another process listens on %s; stop it, or listen on another path", sa->sun_path);
	return unlink(sa->sun_path) < 0 && errno != ENOENT ? err_sys(e, "cannot remove %s", sa->sun_path) : 0;
}

/* PATH.lock, which is never removed: a lock on a file without a name excludes nobody. */
static int lock_path(const char *path, bool *was_there, int *out, struct err *e)
{
	cleanup_str struct str lock = STR_INIT;

	str_addf(&lock, "%s.lock", path);
	*was_there = access(lock.buf, F_OK) == 0;
	*out = os_lock_open(AT_FDCWD, lock.buf);
	if (*out < 0)
		return err_sys(e, "cannot make %s", lock.buf);
	if (os_lock(*out, true, 0, NULL) == 0)
		return 0;
	os_cleanup_fd(out);
	errno = EADDRINUSE;
	return err_sys(e, "another process listens on %s; stop it, or listen on another path", path);
}

/* The address of a Unix socket. */
static int unix_address(const char *path, struct sockaddr_un *sa, struct err *e)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path)) {
		errno = ENAMETOOLONG;
		return err_sys(e, "the socket's path %s has more than %zu bytes", path, sizeof(sa->sun_path) - 1);
	}
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return 0;
}

static int listen_unix(const char *path, struct sock *s, struct err *e)
{
	struct sockaddr_un sa;
	bool ours;
	mode_t mask;
	int rc;

	if (unix_address(path, &sa, e) < 0)
		return -1;
	if (lock_path(path, &ours, &s->lock_fd, e) < 0 || clear_path(&sa, ours, e) < 0)
		return -1;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_sys(e, "cannot make a socket");
	/* A process that can connect can claim any user's name, so only the owner and the group can. */
	mask = umask(0117);
	rc = bind(s->fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (rc < 0 || make_listening(s->fd) < 0)
		return err_sys(e, "cannot listen on %s", path);
	s->path = path;
	return 0;
}

/* Resolves "HOST:PORT" or "[V6]:PORT"; an empty host means all addresses. */
static struct addrinfo *resolve(const char *where, struct err *e)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *ai;
	const char *colon = strrchr(where, ':'), *host = where;
	cleanup_str struct str name = STR_INIT;
	size_t len;
	int rc;

	if (!colon || !colon[1]) {
		errno = EINVAL;
		err_sys(e, "%s is neither HOST:PORT nor a path", where);
		return NULL;
	}
	len = (size_t)(colon - where);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	str_add(&name, host, len);
	rc = getaddrinfo(len ? name.buf : NULL, colon + 1, &hints, &ai);
	if (rc == 0)
		return ai;
	errno = EINVAL;
	err_sys(e, "cannot resolve the address %s: %s", where, gai_strerror(rc));
	return NULL;
}

/* Uses the first address that works: a name may have several, some of a family that this machine does not have. */
static int listen_tcp(const char *where, struct sock *s, struct err *e)
{
	struct addrinfo *all = resolve(where, e), *ai;
	int on = 1;

	if (!all)
		return -1;
	for (ai = all; ai; ai = ai->ai_next) {
		os_cleanup_fd(&s->fd);
		s->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (s->fd < 0)
			continue;
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(s->fd, ai->ai_addr, ai->ai_addrlen) == 0 && make_listening(s->fd) == 0)
			break;
	}
	if (!ai)
		err_sys(e, "cannot listen on %s", where);
	freeaddrinfo(all);
	return ai ? 0 : -1;
}

int sock_listen(const char *where, struct sock *s, struct err *e)
{
	*s = (struct sock)SOCK_INIT;
	if ((strchr(where, '/') ? listen_unix(where, s, e) : listen_tcp(where, s, e)) == 0)
		return 0;
	sock_close(s);
	return -1;
}

int sock_inherited(int fd, struct sock *s, struct err *e)
{
	int on = 0, flags;
	socklen_t len = sizeof(on);

	*s = (struct sock)SOCK_INIT;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on) {
		errno = ENOTSOCK;
		return err_sys(e, "descriptor %d is not a listening socket; use --listen, or start berth-fcgi by spawn-fcgi or systemd", fd);
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "cannot set up descriptor %d", fd);
	s->fd = fd;
	s->inherited = true;
	return 0;
}

unsigned sock_activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t whose = 0, count = 0;

	if (!pid || !fds || str_parse_u64(pid, strlen(pid), &whose) < 0 || str_parse_u64(fds, strlen(fds), &count) < 0 ||
	    whose != (uint64_t)getpid() || count > ACTIVATED_MAX)
		count = 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return (unsigned)count;
}

bool sock_path(int fd, struct str *out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);

	str_reset(out);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 || sa.sun_family != AF_UNIX || sa.sun_path[0] != '/')
		return false;
	if (len > sizeof(sa))
		len = sizeof(sa);
	str_add(out, sa.sun_path, strnlen(sa.sun_path, len - offsetof(struct sockaddr_un, sun_path)));
	return true;
}

void sock_release(const struct sock *s)
{
	if (s->lock_fd >= 0)
		close(s->lock_fd);
}

void sock_close(struct sock *s)
{
	if (s->path)
		unlink(s->path);
	os_cleanup_fd(&s->fd);
	os_cleanup_fd(&s->lock_fd);
	s->path = NULL;
}

int sock_connect(const char *path, unsigned seconds, struct err *e)
{
	const struct timeval patience = { .tv_sec = seconds };
	cleanup_fd int fd = -1;
	struct sockaddr_un sa;
	int connected;

	if (unix_address(path, &sa, e) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(e, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, "cannot connect to %s", path);
	connected = fd;
	fd = -1;
	return connected;
}

void sock_refuse(int fd)
{
	unsigned count;

	for (count = 0; count < REFUSE_MAX; count++) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (c < 0)
			return;
		close(c);
	}
}
