/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the accept loop around libfcgi.
 *
 * Owns the process' signal state and its FastCGI request. Knows nothing of what is answered.
 *
 * libfcgi does not take up a read or write again that a signal has interrupted, and its own handler for SIGTERM would
 * so cut an upload in the middle. Therefore signals stay blocked but while waiting for the next connection.
 */
#include "worker.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "http/exchange.h"
#include "os/file.h"

static volatile sig_atomic_t stopping;

static void stop(int sig)
{
	(void)sig;
	stopping = 1;
}

/* After FCGX_Init(), which installs handlers of its own for these. */
static void set_signals(sigset_t *while_waiting)
{
	struct sigaction sa = { .sa_handler = stop };
	sigset_t blocked;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* A terminal's Ctrl-C and hang-up go to the whole group: the master decides what they mean. */
	sa.sa_handler = SIG_IGN;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigprocmask(SIG_SETMASK, NULL, while_waiting);
	sigdelset(while_waiting, SIGTERM);
}

/* EPOLLEXCLUSIVE: a connection wakes one of the workers that wait, not all of them. */
static int make_epoll(int listen_fd, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, listen_fd, &ev) == 0)
		return ep;
	err_sys(e, "cannot wait on the listening socket");
	os_cleanup_fd(&ep);
	return -1;
}

int worker_run(struct registry *reg, int listen_fd, int ready_fd, struct err *e)
{
	cleanup_fd int ep = -1;
	int pid = (int)getpid();
	FCGX_Request fr;
	sigset_t mask;

	if (FCGX_Init() != 0)
		return err_set(e, ERR_UNKNOWN, "libfcgi cannot be initialised");
	set_signals(&mask);
	ep = make_epoll(listen_fd, e);
	if (ep < 0)
		return -1;
	FCGX_InitRequest(&fr, listen_fd, FCGI_FAIL_ACCEPT_ON_INTR);
	if (os_write_full(ready_fd, &pid, sizeof(pid)) < 0)
		return err_sys(e, "the master has gone");
	while (!stopping) {
		struct epoll_event ev;
		int rc = epoll_pwait(ep, &ev, 1, -1, &mask);

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc < 0)
			return err_sys(e, "cannot wait for requests");
		rc = FCGX_Accept_r(&fr);
		if (rc == -EAGAIN || rc == -EINTR)
			continue;               /* another worker took it */
		if (rc < 0) {
			errno = rc > -4096 ? -rc : EPROTO;
			return err_sys(e, "cannot accept a request");
		}
		exchange_serve(&fr, reg);
		/* What is left unread of a body must never be taken for the next request. */
		fr.keepConnection = 0;
		FCGX_Finish_r(&fr);
	}
	return 0;
}
