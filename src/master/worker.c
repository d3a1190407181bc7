/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the accept loop around libfcgi.
 *
 * Owns the process' signal state and its FastCGI request. Knows nothing of what is answered.
 *
 * libfcgi does not repeat a read or write that a signal has interrupted, so a SIGTERM would cut an upload (doc/LIBRARIES.md,
 * "libfcgi"). Therefore signals stay blocked, and SIGTERM arrives on a descriptor beside the listening one: it is seen between
 * two requests, under any load.
 */
#include "master/worker.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/serve.h"
#include "os/file.h"
#include "os/process.h"

/*
 * Called before FCGX_Init(), which installs handlers of its own for signals that have none.
 * A terminal sends Ctrl-C and hang-up to the whole group; the master decides what they mean.
 */
static int block_signals(struct err *e)
{
	static const int ignored[] = { SIGINT, SIGHUP, SIGPIPE, SIGUSR1 };
	sigset_t set;
	size_t i;
	int fd;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (i = 0; i < ARRAY_LEN(ignored); i++)
		os_signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, "cannot wait for signals") : fd;
}

/* EPOLLEXCLUSIVE: a connection wakes one of the workers that wait, not all of them. */
static int make_epoll(int listen_fd, int signal_fd, struct err *e)
{
	struct epoll_event request = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listen_fd };
	struct epoll_event told = { .events = EPOLLIN, .data.fd = signal_fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, listen_fd, &request) == 0 &&
	    epoll_ctl(ep, EPOLL_CTL_ADD, signal_fd, &told) == 0)
		return ep;
	err_sys(e, "cannot wait on the listening socket");
	os_cleanup_fd(&ep);
	return -1;
}

/*
 * Waits for a request, or for the signal to end; 0, or -1 with *e. Both may be there: the kernel wakes one worker for a
 * connection, and if that worker ends without trying to accept it, nobody does before the next connection comes.
 */
static int wait_for_request(int ep, int signal_fd, bool *request, bool *told, struct err *e)
{
	struct epoll_event ev[2];
	int n, i;

	*request = *told = false;
	do
		n = epoll_wait(ep, ev, ARRAY_LEN(ev), -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "cannot wait for requests");
	for (i = 0; i < n; i++)
		*(ev[i].data.fd == signal_fd ? told : request) = true;
	return 0;
}

/*
 * libfcgi closes by shutdown(2), waits up to two seconds until nginx has closed its end, and closes then: a worker would sleep
 * once in each request. That guards against a reset, which unread bytes would cause. If everything has been read, as of every
 * request without a body, the connection is closed here. It is never kept: the unread rest of a body must not become the next
 * request.
 *
 * The answer is sent before anything more is read. If more is still to come, libfcgi closes in its own way.
 */
static void finish(FCGX_Request *fr)
{
	FCGX_FClose(fr->err);
	FCGX_FClose(fr->out);
	fcntl(fr->ipcFd, F_SETFL, O_NONBLOCK);
	fr->keepConnection = FCGX_GetChar(fr->in) == EOF && FCGX_GetError(fr->in) == 0;
	FCGX_Finish_r(fr);
	fr->keepConnection = 0;
	os_cleanup_fd(&fr->ipcFd);
}

/* One request, unless another worker has accepted it. */
static int serve(FCGX_Request *fr, struct registry *reg, struct auth *auth, bool relay, struct err *e)
{
	int rc = FCGX_Accept_r(fr);

	if (rc == -EAGAIN || rc == -EINTR)
		return 0;
	if (rc < 0) {
		errno = rc > -4096 ? -rc : EPROTO;
		return err_sys(e, "cannot accept a request");
	}
	serve_request(fr, reg, auth, relay);
	finish(fr);
	return 0;
}

int worker_run(struct registry *reg, struct auth *auth, int listen_fd, bool relay, int ready_fd, struct err *e)
{
	cleanup_fd int ep = -1, signal_fd = block_signals(e);
	bool request, told = false;
	int pid = (int)getpid(), rc = 0;
	FCGX_Request fr;

	log_keep_pid();
	if (signal_fd < 0)
		return -1;
	if (FCGX_Init() != 0 || FCGX_InitRequest(&fr, listen_fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		return err_set(e, ERR_UNKNOWN, "libfcgi cannot be initialised");
	ep = make_epoll(listen_fd, signal_fd, e);
	if (ep < 0)
		return -1;
	if (os_write_full(ready_fd, &pid, sizeof(pid)) < 0)
		return err_sys(e, "the master has gone");
	while (rc == 0 && !told) {
		rc = wait_for_request(ep, signal_fd, &request, &told, e);
		if (rc == 0 && request)
			rc = serve(&fr, reg, auth, relay, e);
	}
	return rc;
}
