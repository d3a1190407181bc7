/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_child: starting, replacing and ending berth-relay.
 *
 * Owns its process, and the socket of its workers unless the command line names one. Knows nothing of what it does.
 */
#include "master/relay_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "master/child.h"

#define PROGRAM "berth-relay"
#define SOCKET "relay.sock"
#define MIRROR_SOCKET "mirror.sock"       /* where nginx asks the relay: see nginx/render */
#define SECOND UINT64_C(1000000)
#define LIVED_WELL (10 * SECOND)        /* a relay that lived longer than this did not fail at start */
#define FREE_DEATHS 2
#define PAUSE_FIRST (SECOND / 4)
#define PAUSE_MAX (60 * SECOND)

void relay_child_init(struct relay_child *r, const struct supervisor_options *o)
{
	r->o = o;
	r->fd = o->relay_on.fd;
	if (r->fd >= 0)
		sock_path(r->fd, &r->path);
}

void relay_child_release(struct relay_child *r)
{
	sock_close(&r->own);
	str_release(&r->path);
}

/* relay.sock, beside the socket of requests of all kinds. */
static int make_socket(struct relay_child *r, struct err *e)
{
	const char *slash = sock_path(r->o->listen_on.fd, &r->path) ? strrchr(r->path.buf, '/') : NULL;

	if (!slash)
		return err_set(e, ERR_UNAVAILABLE, "the workers' socket has no absolute path: name one for the relay with --listen-relay");
	str_cut(&r->path, (size_t)(slash + 1 - r->path.buf));
	str_puts(&r->path, SOCKET);
	return sock_listen(r->path.buf, &r->own, e);
}

void relay_child_set(struct relay_child *r, const struct config *cfg)
{
	cleanup_str struct str why = STR_INIT;
	cleanup_err struct err e = ERR_INIT;

	r->work = config_relay_needed(cfg);
	r->serves = cfg->nupstreams > 0;
	if (r->work && r->fd < 0) {
		if (make_socket(r, &e) < 0) {
			err_text(&e, &why);
			log_say(LOG_ERROR, "relay", "no event is delivered, and no upstream is asked: %s", why.buf);
			r->work = false;
		}
		r->fd = r->own.fd;
	}
	r->wanted = r->work && !r->o->no_relay && cfg->relay == RELAY_AUTO;
	if (r->work && !r->wanted)
		log_say(LOG_INFO, "relay", "berth-relay is not started here; it reaches the workers at %s", r->path.buf);
	r->deaths = 0;
	r->not_before = 0;
}

static void end(struct relay_child *r)
{
	if (r->pid && !r->ending)
		kill(r->pid, SIGTERM);
	r->ending = true;
}

void relay_child_reload(struct relay_child *r)
{
	if (r->pid && r->wanted && !r->ending)
		kill(r->pid, SIGHUP);
	else if (!r->wanted)
		end(r);
}

uint64_t relay_child_next(const struct relay_child *r)
{
	return r->wanted && !r->pid ? r->not_before : 0;
}

/* Beside this program, as in a build directory and in /usr/sbin; else where `make install` puts it. */
static void find_program(struct str *out)
{
	const char *self = str_room(out, PATH_MAX);
	ssize_t len = readlink("/proc/self/exe", str_room(out, PATH_MAX), PATH_MAX);

	while (len > 0 && self[len - 1] != '/')
		len--;
	if (len > 0) {
		str_grown(out, (size_t)len);
		str_puts(out, PROGRAM);
		if (access(out->buf, X_OK) == 0)
			return;
	}
	str_reset(out);
	str_puts(out, SBINDIR "/" PROGRAM);
}

/* In the new process: does not return. What is ignored here, SIGHUP among them, still is until the relay handles it. */
static _Noreturn void run(const struct relay_child *r)
{
	cleanup_str struct str program = STR_INIT, listen_at = STR_INIT;
	const char *argv[10] = { PROGRAM, "--workers", r->path.buf };
	const char *slash = strrchr(r->path.buf, '/');
	int n = 3, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (r->o->config_file) {
		argv[n++] = "--config";
		argv[n++] = r->o->config_file;
	}
	if (r->o->root) {
		argv[n++] = "--root";
		argv[n++] = r->o->root;
	}
	/* Without upstreams, too: it listens there when a reload brings some. */
	if (slash) {
		str_add(&listen_at, r->path.buf, (size_t)(slash + 1 - r->path.buf));
		str_puts(&listen_at, MIRROR_SOCKET);
		argv[n++] = "--listen";
		argv[n++] = listen_at.buf;
	}
	/* Descriptor 0 may be the workers' socket, of spawn-fcgi. The notification is the master's. */
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	unsetenv("NOTIFY_SOCKET");
	find_program(&program);
	execv(program.buf, (char *const *)(const void *)argv);
	log_say(LOG_ERROR, "relay", "cannot run %s: %s", program.buf, strerror(errno));
	_exit(1);
}

void relay_child_tend(struct relay_child *r, void (*in_child)(void *arg), void *arg)
{
	uint64_t now = time_now_usec();

	if (!r->wanted || r->pid || now < r->not_before)
		return;
	r->begun = now;
	r->ending = false;
	if (child_begin(&r->pid, "berth-relay", "start the relay", in_child, arg))
		run(r);
	if (!r->pid)
		r->not_before = now + SECOND;
}

/* How long the next one has to wait. */
static uint64_t pause_after(struct relay_child *r, uint64_t lived)
{
	unsigned doublings;
	uint64_t pause;

	r->deaths = lived >= LIVED_WELL ? 1 : r->deaths + 1;
	if (r->deaths <= FREE_DEATHS)
		return 0;
	doublings = r->deaths - FREE_DEATHS - 1;
	pause = PAUSE_FIRST << (doublings < 8 ? doublings : 8);
	return pause < PAUSE_MAX ? pause : PAUSE_MAX;
}

bool relay_child_reap(struct relay_child *r, pid_t pid, int status)
{
	uint64_t now = time_now_usec(), pause;
	struct log_event ev;

	if (!r->pid || pid != r->pid)
		return false;
	r->pid = 0;
	if (r->ending)
		return true;
	pause = pause_after(r, now - r->begun);
	r->not_before = now + pause;
	metrics_add(METRIC_RELAY_RESTARTS, 1);
	log_begin(&ev, LOG_WARN, "relay_died");
	log_int(&ev, "relay", pid);
	if (WIFSIGNALED(status))
		log_int(&ev, "signal", WTERMSIG(status));
	else
		log_int(&ev, "exit", WEXITSTATUS(status));
	log_ms(&ev, "lived_ms", now - r->begun);
	if (pause)
		log_ms(&ev, "next_in_ms", pause);
	log_end(&ev);
	return true;
}

void relay_child_stop(struct relay_child *r, bool at_once)
{
	r->wanted = false;
	if (r->pid && at_once)
		kill(r->pid, SIGKILL);
	else
		end(r);
}
