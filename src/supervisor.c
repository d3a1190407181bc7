/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor: fork, respawn, reload, drain.
 *
 * Owns the processes. Invariant: a worker belongs to one generation of the configuration; it is told to go only after
 * its successor has said that it is ready. The store is opened by each worker itself, after fork, since a lock belongs
 * to the open file.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/keyring.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/time.h"
#include "os/file.h"
#include "os/process.h"
#include "os/seats.h"
#include "os/sock.h"
#include "registry/registry.h"
#include "schedule.h"
#include "settings.h"
#include "startup.h"
#include "store/epoch.h"
#include "store/layout.h"
#include "store/store.h"
#include "worker.h"

#define SECOND 1000000u
#define HOUR (3600 * UINT64_C(1000000))
#define LIVED_WELL (10 * SECOND)        /* who died later than this did not die of its start */
#define FREE_DEATHS 2                   /* in a row, beyond one for each worker, before replacing is slowed down */
#define PAUSE_FIRST (SECOND / 4)
#define PAUSE_MAX (8 * SECOND)

struct proc {
	pid_t pid;
	unsigned generation;
	bool ready, told_to_go;
	uint64_t born;
	struct pool *pool;
};

struct pool {                           /* the workers of one socket */
	const char *label;
	int fd;                         /* -1: there is no such pool, and nobody is wanted for it */
	unsigned want;
	struct seats *seats;            /* for those who wait for locks: half of the pool */
	unsigned deaths;                /* early ones in a row */
	uint64_t pause;                 /* 0, or, in a crash loop, how long to wait between one new worker and the next */
	uint64_t not_before;            /* no new worker until then; 0: at once */
};

struct master {
	const struct supervisor_options *o;
	struct config *cfg;
	struct pool pools[METRICS_POOLS];
	struct proc *procs;
	size_t nprocs, cap;
	unsigned generation;
	int ready[2];                   /* a pipe: workers write their id when they can take requests */
	int signal_fd;
	struct keyring *keys;
	struct throttle *throttle;      /* shared by all workers, of every generation */
	struct serving serving;         /* holds the epoch: see store/epoch.h */
	sigset_t saved;
	bool stopping;
	struct schedule schedule;
	pid_t checking;                 /* the process that looks whether a new program could start; 0: none */
};

struct config *supervisor_config(const struct supervisor_options *o, bool at_start)
{
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT;
	struct config *cfg = config_load(o->config_file, environ, &warn, &msg);

	if (cfg && o->root && config_set_root(cfg, o->root, &msg) < 0)
		config_close(&cfg);
	if (cfg && auth_check_config(cfg, &warn, &msg) < 0)
		config_close(&cfg);
	if (!cfg) {
		if (at_start)
			dprintf(STDERR_FILENO, "%s\n", msg.buf);
		else
			log_say(LOG_ERROR, "configuration", "%s; the old one stays", msg.buf);
		return NULL;
	}
	if (o->workers)
		cfg->workers = o->workers;
	log_set_level(cfg->log_level);
	if (warn.len)
		log_say(LOG_WARN, "configuration", "%s", warn.buf);
	return cfg;
}

static struct store_options store_options(const struct config *cfg)
{
	return (struct store_options){ .root = cfg->root, .flush = cfg->fsync, .readonly = cfg->readonly };
}

static void set_counts(struct master *m)
{
	m->pools[POOL_REQUESTS].want = config_workers(m->cfg);
	m->pools[POOL_WRITES].want = m->pools[POOL_WRITES].fd < 0 ? 0 : config_write_workers(m->cfg);
	m->pools[POOL_UPLOADS].want = m->pools[POOL_UPLOADS].fd < 0 ? 0 : config_upload_workers(m->cfg);
}

/* What is the master's alone, in a process that it has forked. */
static void let_go(void *arg)
{
	struct master *m = arg;

	close(m->signal_fd);
	close(m->ready[0]);
	sock_release(&m->o->listen_on);         /* the path is the master's: who comes after it may take it */
	sock_release(&m->o->writes_on);
	sock_release(&m->o->uploads_on);
	sigprocmask(SIG_SETMASK, &m->saved, NULL);
}

/* In the child: never returns. */
static _Noreturn void child(struct master *m, struct pool *pool)
{
	struct store_options so = store_options(m->cfg);
	struct registry reg = { .cfg = m->cfg };
	struct auth *auth = auth_open(m->cfg, m->keys, m->throttle);
	struct err e = ERR_INIT;

	so.seats = pool->seats;
	so.nseats = (pool->want + 1) / 2;
	if (auth_on(auth))
		os_keep_secrets();
	os_wait_your_turn();    /* a batch of requests is handed over at once: fewer switches between nginx and its workers */
	let_go(m);
	if (store_open(&reg.st, &so, &e) < 0 || worker_run(&reg, auth, pool->fd, m->ready[1], &e) < 0) {
		struct log_event ev;

		log_begin(&ev, LOG_ERROR, "worker_failed");
		log_err(&ev, &e);
		log_end(&ev);
		_exit(1);
	}
	exit(0);        /* not _exit: sanitizers and coverage report there */
}

static int spawn(struct master *m, struct pool *pool)
{
	/* A master that is killed leaves nobody behind: whoever starts the next one finds the socket free. */
	pid_t pid = os_fork(SIGTERM);
	struct proc *p;

	if (pid < 0) {
		log_say(LOG_ERROR, "fork", "cannot start a worker: %s", strerror(errno));
		pool->not_before = time_now_usec() + SECOND;
		return -1;
	}
	if (pid == 0)
		child(m, pool);
	if (m->nprocs == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->procs = xreallocarray(m->procs, m->cap, sizeof(*m->procs));
	}
	p = &m->procs[m->nprocs++];
	*p = (struct proc){ .pid = pid, .generation = m->generation, .born = time_now_usec(), .pool = pool };
	return 0;
}

static void tell_to_go(struct proc *p)
{
	if (!p->told_to_go)
		kill(p->pid, SIGTERM);
	p->told_to_go = true;
}

/* How many of a pool stay: all of them, or those of the present generation. */
static unsigned count(const struct master *m, const struct pool *pool, bool only_new, bool only_ready)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < m->nprocs; i++) {
		const struct proc *p = &m->procs[i];

		if (p->pool == pool && !p->told_to_go && (!only_new || p->generation == m->generation) &&
		    (!only_ready || p->ready))
			n++;
	}
	return n;
}

/* One that is not of the present generation. */
static struct proc *outdated(struct master *m, const struct pool *pool)
{
	size_t i;

	for (i = 0; i < m->nprocs; i++)
		if (m->procs[i].pool == pool && !m->procs[i].told_to_go && m->procs[i].generation != m->generation)
			return &m->procs[i];
	return NULL;
}

static void end_crash_loop(struct pool *pool)
{
	pool->deaths = 0;
	pool->pause = pool->not_before = 0;
}

/* A crash loop is over when a worker has lived well. */
static bool recovered(const struct master *m, const struct pool *pool)
{
	uint64_t now = time_now_usec();
	size_t i;

	for (i = 0; i < m->nprocs; i++)
		if (m->procs[i].pool == pool && m->procs[i].ready && now - m->procs[i].born >= LIVED_WELL)
			return true;
	return false;
}

/*
 * Brings a pool nearer to what it should be. During a reload one worker of the new generation is started at a time;
 * when it is ready one of the old has to go, so that there are never fewer than before.
 */
static void tend(struct master *m, struct pool *pool)
{
	unsigned fresh = count(m, pool, true, false), ready = count(m, pool, true, true);
	bool reloading = outdated(m, pool) != NULL;
	unsigned total = count(m, pool, false, false);

	if (pool->pause && recovered(m, pool))
		end_crash_loop(pool);
	while (outdated(m, pool) && (total > pool->want || ready >= pool->want)) {
		if (total - 1 < ready || fresh != ready)
			break;
		tell_to_go(outdated(m, pool));
		total--;
	}
	if (time_now_usec() < pool->not_before)
		return;
	while (fresh < pool->want && (!reloading || fresh == ready)) {
		if (spawn(m, pool) < 0)
			return;
		fresh++;
		if (pool->pause) {
			pool->not_before = time_now_usec() + pool->pause;
			return;
		}
	}
}

/* After the death of a worker: whether the next ones have to wait, and how long. */
static void slow_down(struct pool *pool, uint64_t lived)
{
	unsigned free_deaths = pool->want + FREE_DEATHS, doublings;

	if (lived >= LIVED_WELL)
		pool->deaths = 0;
	pool->pause = 0;
	if (++pool->deaths <= free_deaths)
		return;
	doublings = pool->deaths - free_deaths - 1;
	pool->pause = PAUSE_FIRST << (doublings < 6 ? doublings : 6);
	if (pool->pause > PAUSE_MAX)
		pool->pause = PAUSE_MAX;
	pool->not_before = time_now_usec() + pool->pause;
}

static void mourn(struct master *m, struct proc *p, int status)
{
	struct pool *pool = p->pool;
	uint64_t lived = time_now_usec() - p->born;
	struct log_event ev;

	if (p->told_to_go || m->stopping)
		return;
	metrics_add(METRIC_RESTARTS + (enum metric)(pool - m->pools), 1);
	slow_down(pool, lived);
	log_begin(&ev, LOG_WARN, pool->pause ? "crash_loop" : "worker_died");
	log_int(&ev, "worker", p->pid);
	log_str(&ev, "pool", pool->label);
	if (WIFSIGNALED(status))
		log_int(&ev, "signal", WTERMSIG(status));
	else
		log_int(&ev, "exit", WEXITSTATUS(status));
	log_ms(&ev, "lived_ms", lived);
	if (pool->pause)
		log_ms(&ev, "next_in_ms", pool->pause);
	log_end(&ev);
}

/* The workers stay this process's children, whatever program it runs, and are replaced as after a reload. */
static void adopt(struct master *m, const struct upgrade *u)
{
	m->procs = xcalloc(u->count + 1, sizeof(*m->procs));
	for (m->nprocs = 0; m->nprocs < u->count; m->nprocs++) {
		const struct upgrade_worker *w = &u->workers[m->nprocs];

		m->procs[m->nprocs] = (struct proc){ .pid = w->pid, .ready = true, .told_to_go = w->told_to_go,
						     .born = time_now_usec(), .pool = &m->pools[w->pool < METRICS_POOLS ? w->pool : 0] };
	}
	m->cap = m->nprocs;
}

static void hand_over(struct master *m, int status)
{
	const struct supervisor_options *o = m->o;
	struct upgrade u = { .fd = { o->listen_on.fd, o->writes_on.fd, o->uploads_on.fd }, .outlived = o->outlived,
			     .lock_fd = { o->listen_on.lock_fd, o->writes_on.lock_fd, o->uploads_on.lock_fd } };
	cleanup_err struct err e = ERR_INIT;
	sigset_t blocked;

	m->checking = 0;
	if (m->stopping)
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		log_say(LOG_ERROR, "upgrade", "the new %s could not start, and has said why; the old one stays", o->argv[0]);
		return;
	}
	u.workers = xcalloc(m->nprocs + 1, sizeof(*u.workers));
	for (u.count = 0; u.count < m->nprocs; u.count++) {
		const struct proc *p = &m->procs[u.count];

		u.workers[u.count] = (struct upgrade_worker){ p->pid, (unsigned)(p->pool - m->pools), p->told_to_go };
	}
	log_say(LOG_INFO, "upgrade", "%s begins in the place of this program", o->argv[0]);
	sigprocmask(SIG_SETMASK, &m->saved, &blocked);
	upgrade_exec(&u, o->argv, &e);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	log_say(LOG_ERROR, "upgrade", "%s; the old program stays", e.cause);
	free(u.workers);
}

static void check_upgrade(struct master *m)
{
	if (m->checking)
		return;
	m->checking = upgrade_check(m->o->argv, let_go, m);
	if (m->checking > 0)
		return;
	m->checking = 0;
	log_say(LOG_ERROR, "fork", "cannot look whether %s could start: %s", m->o->argv[0], strerror(errno));
}

static void reap(struct master *m)
{
	pid_t pid;
	int status;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (schedule_reap(&m->schedule, m->cfg, pid, status))
			continue;
		if (pid == m->checking) {
			hand_over(m, status);
			continue;
		}
		for (i = 0; i < m->nprocs && m->procs[i].pid != pid; i++)
			;
		if (i == m->nprocs)
			continue;
		seats_free(m->procs[i].pool->seats, pid);
		mourn(m, &m->procs[i], status);
		m->procs[i] = m->procs[--m->nprocs];
	}
}

static void read_ready(struct master *m)
{
	int pids[64];
	ssize_t n = read(m->ready[0], pids, sizeof(pids));
	size_t i, j;

	for (i = 0; n > 0 && i < (size_t)n / sizeof(*pids); i++)
		for (j = 0; j < m->nprocs; j++)
			if (m->procs[j].pid == pids[i])
				m->procs[j].ready = true;
}

static void reload(struct master *m)
{
	cleanup_keyring struct keyring *keys = NULL;
	cleanup_str struct str why = STR_INIT;
	struct err e = ERR_INIT;
	struct store_options so;
	struct config *cfg = supervisor_config(m->o, false);
	struct serving serving = SERVING_INIT;
	size_t i;

	if (!cfg)
		return;
	so = store_options(cfg);
	if (layout_prepare(&so, &e) < 0 || !(keys = keyring_open(cfg, true, NULL, &e)) || epoch_begin(&so, &serving, &e) < 0) {
		err_text(&e, &why);
		log_say(LOG_ERROR, "configuration", "%s; the old one stays", why.buf);
		epoch_end(&serving);
		log_set_level(m->cfg->log_level);
		config_close(&cfg);
		err_release(&e);
		return;
	}
	epoch_end(&m->serving);
	m->serving = serving;
	config_close(&m->cfg);
	m->cfg = cfg;
	keyring_close(&m->keys);
	m->keys = STEAL(keys);
	m->generation++;
	set_counts(m);
	schedule_set(&m->schedule, m->cfg);
	if (!so.readonly)
		settings_compare(m->cfg, false);
	for (i = 0; i < METRICS_POOLS; i++)
		end_crash_loop(&m->pools[i]);
	log_say(LOG_INFO, "reload", "configuration read, generation %u", m->generation);
}

static void begin_stop(struct master *m)
{
	size_t i;

	/* Asked a second time: whoever asks does not want to wait for what is under way. */
	for (i = 0; i < m->nprocs; i++)
		if (m->stopping)
			kill(m->procs[i].pid, SIGKILL);
		else
			tell_to_go(&m->procs[i]);
	schedule_stop(&m->schedule);
	if (!m->stopping)
		log_say(LOG_INFO, "stopping", "finishing what is under way");
	m->stopping = true;
}

static void read_signals(struct master *m)
{
	struct signalfd_siginfo si;

	while (read(m->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP && !m->stopping)
			reload(m);
		else if (si.ssi_signo == SIGUSR2 && !m->stopping)
			check_upgrade(m);
		else if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			begin_stop(m);
	}
}

/* How long poll may sleep: a pool that waits with its next worker, or a collection, ends the wait. -1: no limit. */
static int sleep_ms(const struct master *m)
{
	uint64_t first = m->schedule.pid ? 0 : m->schedule.due, now = time_now_usec();
	size_t i;

	for (i = 0; i < METRICS_POOLS; i++)
		if (m->pools[i].not_before > now && (!first || m->pools[i].not_before < first))
			first = m->pools[i].not_before;
	if (!first)
		return -1;
	if (first <= now)
		return 0;
	return first - now < HOUR ? (int)((first - now) / 1000 + 1) : (int)(HOUR / 1000);
}

/* For who watches over us. */
static void tell_counts(const struct master *m)
{
	size_t i;

	for (i = 0; i < METRICS_POOLS; i++) {
		metrics_set(METRIC_WORKERS_WANTED + (enum metric)i, m->pools[i].want);
		metrics_set(METRIC_WORKERS + (enum metric)i, count(m, &m->pools[i], false, true));
	}
}

static void wait_and_act(struct master *m)
{
	struct pollfd fds[2 + METRICS_POOLS] = { { .fd = m->signal_fd, .events = POLLIN }, { .fd = m->ready[0], .events = POLLIN } };
	size_t i;

	for (i = 0; i < METRICS_POOLS; i++) {
		/*
		 * While nobody accepts, nginx would wait for its time limit on each request. So the master takes the
		 * connections and closes them, and clients hear at once that the service is away. But when it stops
		 * and another is to come, what arrives waits for that one.
		 */
		bool deserted = count(m, &m->pools[i], false, false) == 0 && !(m->stopping && m->o->outlived);

		fds[2 + i] = (struct pollfd){ .fd = deserted ? m->pools[i].fd : -1, .events = POLLIN };
	}
	if (poll(fds, ARRAY_LEN(fds), m->stopping ? -1 : sleep_ms(m)) < 0)
		return;
	if (fds[0].revents)
		read_signals(m);
	if (fds[1].revents)
		read_ready(m);
	for (i = 0; i < METRICS_POOLS; i++)
		if (fds[2 + i].revents)
			sock_refuse(m->pools[i].fd);
	reap(m);
}

static int open_master(struct master *m, struct err *e)
{
	sigset_t set;

	/* Nobody reading the log is no reason to end; an inherited SIG_IGN would hide that a worker has died. */
	os_signal(SIGPIPE, SIG_IGN);
	os_signal(SIGCHLD, SIG_DFL);

	if (pipe2(m->ready, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, "cannot make a pipe");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &m->saved);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd < 0 ? err_sys(e, "cannot wait for signals") : 0;
}

int supervisor_run(const struct supervisor_options *o, struct config *cfg, struct err *e)
{
	struct master m = {
		.pools = {
			[POOL_REQUESTS] = { .label = "requests", .fd = o->listen_on.fd },
			[POOL_WRITES] = { .label = "writes", .fd = o->writes_on.fd },
			[POOL_UPLOADS] = { .label = "uploads", .fd = o->uploads_on.fd },
		},
		.o = o, .cfg = cfg, .ready = { -1, -1 }, .signal_fd = -1, .serving = SERVING_INIT, .generation = 1,
	};
	struct store_options so = store_options(cfg);
	size_t i;
	int rc;

	m.throttle = throttle_open();
	for (i = 0; i < METRICS_POOLS; i++)
		m.pools[i].seats = seats_open();
	m.keys = keyring_open(cfg, true, NULL, e);
	rc = !m.keys || startup_join(m.cfg, &so, &m.serving, e) < 0 ? -1 : open_master(&m, e);
	if (rc == 0) {
		if (o->before)
			adopt(&m, o->before);
		set_counts(&m);
		startup_tidy(&so);
		schedule_set(&m.schedule, m.cfg);
		log_say(LOG_INFO, "ready", "store %s, %u workers, %u for writes, %u for uploads", m.cfg->root,
			m.pools[POOL_REQUESTS].want, m.pools[POOL_WRITES].want, m.pools[POOL_UPLOADS].want);
		os_notify_ready();
	}
	while (rc == 0 && !(m.stopping && m.nprocs == 0 && !m.schedule.pid)) {
		for (i = 0; i < METRICS_POOLS && !m.stopping; i++)
			tend(&m, &m.pools[i]);
		if (!m.stopping)
			schedule_tend(&m.schedule, m.cfg, let_go, &m);
		tell_counts(&m);
		wait_and_act(&m);
	}
	if (rc == 0)
		log_say(LOG_INFO, "stopped", "all workers have finished");
	epoch_end(&m.serving);
	os_cleanup_fd(&m.signal_fd);
	os_cleanup_fd(&m.ready[0]);
	os_cleanup_fd(&m.ready[1]);
	free(m.procs);
	for (i = 0; i < METRICS_POOLS; i++)
		seats_close(&m.pools[i].seats);
	throttle_close(&m.throttle);
	keyring_close(&m.keys);
	config_close(&m.cfg);
	return rc;
}
