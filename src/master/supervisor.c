/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor: the master: signals, reloading the configuration, stopping.
 *
 * Owns the pools, the collection's process, the relay's, and those beside the workers. Each worker opens the store itself,
 * after fork, because a lock belongs to the open file.
 */
#include "master/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
#include "conf/rules.h"
#include "master/beside.h"
#include "master/evictor.h"
#include "master/openmark.h"
#include "master/pool.h"
#include "master/recount.h"
#include "master/relay_child.h"
#include "master/schedule.h"
#include "master/settings.h"
#include "master/startup.h"
#include "master/worker.h"
#include "os/file.h"
#include "os/process.h"
#include "os/seats.h"
#include "os/sock.h"
#include "registry/registry.h"
#include "store/epoch.h"
#include "store/layout.h"
#include "store/nearby.h"
#include "store/store.h"

#define HOUR (3600 * UINT64_C(1000000))

struct master {
	const struct supervisor_options *o;
	struct config *cfg;
	struct pool pools[METRICS_POOLS];
	unsigned generation;            /* of the configuration: how often it was read */
	int ready[2];                   /* a pipe: a worker writes its process id when it accepts requests */
	int signal_fd;
	struct keyring *keys;
	struct throttle *throttle;      /* shared by all workers, of every generation */
	struct serving serving;         /* holds the epoch: see store/epoch.h */
	struct machine machine;         /* shows this master to other machines: see store/machines.h */
	unsigned machines;              /* how often it was made */
	bool stopping;
	bool lost;                      /* it stops because it has lost its locks, and takes them up again */
	struct schedule schedule;
	struct beside beside[BESIDE_KINDS];
	struct recount recount;
	struct evictor evictor;
	struct openmark mark;
	struct relay_child relay;
};

struct config *supervisor_config(const struct supervisor_options *o, bool at_start)
{
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT;
	struct config *cfg = config_load(o->config_file, environ, &warn, &msg);

	if (cfg && o->root && config_set_root(cfg, o->root, &msg) < 0)
		config_close(&cfg);
	if (cfg && at_start) {
		log_set_fields(cfg->log_fields);
		auth_first_user(cfg);
	}
	if (cfg && auth_check_config(cfg, &warn, &msg) < 0)
		config_close(&cfg);
	if (cfg)
		rules_check(cfg, &warn);
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
	log_set_fields(cfg->log_fields);
	log_each(LOG_WARN, "configuration", warn.buf);
	return cfg;
}

void supervisor_hold_signals(struct supervisor_options *o)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &o->signals);
}

static struct store_options store_options(const struct config *cfg)
{
	struct store_options so = registry_store(cfg);

	so.image = cfg->fsync == FSYNC_IMAGE;
	so.readonly = cfg->readonly;
	so.serving = true;
	return so;
}

static void set_counts(struct master *m)
{
	m->pools[POOL_REQUESTS].want = config_workers(m->cfg);
	m->pools[POOL_WRITES].want = m->pools[POOL_WRITES].fd < 0 ? 0 : config_write_workers(m->cfg);
	m->pools[POOL_UPLOADS].want = m->pools[POOL_UPLOADS].fd < 0 ? 0 : config_upload_workers(m->cfg);
	relay_child_set(&m->relay, m->cfg);
	m->pools[POOL_RELAY].fd = m->relay.fd;
	m->pools[POOL_RELAY].want = !m->relay.work ? 0 : RELAY_WORKERS + (m->relay.serves ? config_upload_workers(m->cfg) : 0);
}

/* In a process that the master has forked: give up what belongs to the master alone. */
static void leave_master(void *arg)
{
	struct master *m = arg;

	close(m->signal_fd);
	close(m->ready[0]);
	/* The path of a socket is the master's: its successor may take it over. */
	sock_release(&m->o->listen_on);
	sock_release(&m->o->writes_on);
	sock_release(&m->o->uploads_on);
	sock_release(&m->o->relay_on);
	sock_release(&m->relay.own);
	/* A command that sends one of these to all processes of this name means the master. */
	os_signal(SIGHUP, SIG_IGN);
	os_signal(SIGUSR1, SIG_IGN);
	os_signal(SIGUSR2, SIG_IGN);
	sigprocmask(SIG_SETMASK, &m->o->signals, NULL);
}

/* In a new process of the pool: does not return. */
static void run_worker(void *arg, struct pool *pool)
{
	struct master *m = arg;
	struct store_options so = store_options(m->cfg);
	struct registry reg = { .cfg = m->cfg, .master = getppid() };
	struct auth *auth = auth_open(m->cfg, m->keys, m->throttle);
	struct err e = ERR_INIT;

	so.seats = pool->seats;
	so.nseats = (pool->want + 1) / 2;
	if (auth_on(auth))
		os_keep_secrets();
	os_wait_your_turn();    /* nginx hands over a batch of requests at once: fewer switches between it and its workers */
	leave_master(m);
	if (store_open(&reg.st, &so, &e) == 0)
		nearby_start(reg.st);
	if (!reg.st || worker_run(&reg, auth, pool->fd, pool->number == POOL_RELAY, m->ready[1], &e) < 0) {
		struct log_event ev;

		log_begin(&ev, LOG_ERROR, "worker_failed");
		log_err(&ev, &e);
		log_end(&ev);
		_exit(1);
	}
	exit(0);        /* not _exit: sanitizers and coverage report there */
}

static void reap(struct master *m)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (schedule_reap(&m->schedule, m->cfg, pid, status) || recount_reap(&m->recount, pid) ||
		    evictor_reap(&m->evictor, m->cfg, pid, status) ||
		    relay_child_reap(&m->relay, pid, status) || beside_reap(&m->beside[BESIDE_AHEAD], pid, status) ||
		    beside_reap(&m->beside[BESIDE_BEAT], pid, status))
			continue;
		for (size_t i = 0; i < METRICS_POOLS && !pool_reap(&m->pools[i], pid, status, m->stopping); i++)
			;
	}
}

static void tend_beside(struct master *m, enum beside_kind kind)
{
	struct store_options so = store_options(m->cfg);

	beside_tend(&m->beside[kind], &so, &m->machine, kind == BESIDE_BEAT ? m->machines : m->generation, leave_master, m);
}

/* Other machines see this one from the beginning of what may take long: they may start at the same time. */
static int join(struct master *m, const struct store_options *so, struct err *e)
{
	m->machines++;
	if (machines_begin(so, &m->machine, e) < 0)
		return -1;
	tend_beside(m, BESIDE_BEAT);
	return machines_watch(&m->machine, so->root, e) < 0 ? -1 : startup_join(m->cfg, so, &m->serving, e);
}

/* What shows this machine to others goes last. */
static void leave(struct master *m)
{
	epoch_end(&m->serving);
	beside_end(&m->beside[BESIDE_BEAT]);
	machines_leave(&m->machine);
}

static void read_ready(struct master *m)
{
	int pids[64];
	ssize_t n = read(m->ready[0], pids, sizeof(pids));

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*pids); i++)
		for (size_t j = 0; j < METRICS_POOLS; j++)
			pool_ready(&m->pools[j], pids[i]);
}

/* Another root, or none that others may serve. */
static void change_machine(struct master *m, const struct machine *machine)
{
	beside_end(&m->beside[BESIDE_BEAT]);
	machines_leave(&m->machine);
	m->machine = *machine;
	m->machines++;
}

static void reload(struct master *m)
{
	cleanup_keyring struct keyring *keys = NULL;
	cleanup_str struct str why = STR_INIT;
	struct err e = ERR_INIT;
	struct store_options so;
	struct config *cfg = supervisor_config(m->o, false);
	struct serving serving = SERVING_INIT;
	struct machine machine = MACHINE_INIT;
	bool same;
	size_t i;

	if (!cfg)
		return;
	so = store_options(cfg);
	same = machines_is_of(&m->machine, &so);
	if (layout_prepare(&so, &e) < 0 || !(keys = keyring_open(cfg, true, NULL, &e)) ||
	    (!same && (machines_begin(&so, &machine, &e) < 0 || machines_watch(&machine, so.root, &e) < 0)) ||
	    epoch_begin(&so, &serving, &e) < 0 || (cfg->auth.on && openmark_drop(&m->mark, &e) < 0)) {
		err_text(&e, &why);
		log_say(LOG_ERROR, "configuration", "%s; the old one stays", why.buf);
		epoch_end(&serving);
		machines_leave(&machine);
		log_set_level(m->cfg->log_level);
		config_close(&cfg);
		err_release(&e);
		return;
	}
	epoch_end(&m->serving);
	m->serving = serving;
	if (!same)
		change_machine(m, &machine);
	config_close(&m->cfg);
	m->cfg = cfg;
	keyring_close(&m->keys);
	m->keys = STEAL(keys);
	m->generation++;
	set_counts(m);
	relay_child_reload(&m->relay);
	schedule_set(&m->schedule, m->cfg);
	if (so.readonly)
		startup_pause(&so);
	else
		settings_compare(m->cfg, false);
	recount_set(&m->recount, m->cfg);
	evictor_set(&m->evictor, m->cfg);
	for (i = 0; i < METRICS_POOLS; i++)
		pool_reset(&m->pools[i]);
	log_say(LOG_INFO, "reload", "configuration read, generation %u", m->generation);
}

/* The second request to stop means that nobody wants to wait for what is under way. */
static void begin_stop(struct master *m)
{
	for (size_t i = 0; i < METRICS_POOLS; i++)
		pool_stop(&m->pools[i], m->stopping);
	schedule_stop(&m->schedule);
	recount_stop(&m->recount);
	evictor_stop(&m->evictor);
	relay_child_stop(&m->relay, m->stopping);
	beside_stop(&m->beside[BESIDE_AHEAD]);
	if (!m->stopping)
		log_say(LOG_INFO, "stopping", "finishing what is under way");
	m->stopping = true;
}

/* The file system has given up the locks of this master, and with them those of its workers (doc/MACHINES.md, "At the start"). */
static void see_loss(struct master *m)
{
	if (!m->beside[BESIDE_BEAT].lost || m->stopping)
		return;
	m->lost = true;
	begin_stop(m);
}

static void read_signals(struct master *m)
{
	struct signalfd_siginfo si;

	while (read(m->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP && !m->stopping)
			reload(m);
		else if (si.ssi_signo == SIGUSR1 && !m->stopping)
			schedule_ask(&m->schedule, m->cfg);
		else if (si.ssi_signo == SIGUSR2)
			log_say(LOG_WARN, "signal", "SIGUSR2 does nothing; for a new program restart this one on sockets that somebody "
						    "else holds open: see berth-fcgi(8)");
		else if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT) {
			if (m->lost)    /* what is under way is being finished */
				m->lost = false;
			else
				begin_stop(m);
		}
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

/* How long poll may sleep: until a process may be started, or until a collection is due. -1: without limit. */
static int sleep_ms(const struct master *m)
{
	uint64_t first = earlier(schedule_next(&m->schedule), relay_child_next(&m->relay));
	uint64_t now = time_now_usec();
	size_t i;

	first = earlier(first, evictor_next(&m->evictor));
	for (i = 0; i < BESIDE_KINDS; i++)
		first = earlier(first, beside_next(&m->beside[i]));

	for (i = 0; i < METRICS_POOLS; i++)
		if (m->pools[i].not_before > now && (!first || m->pools[i].not_before < first))
			first = m->pools[i].not_before;
	if (!first)
		return -1;
	if (first <= now)
		return 0;
	return first - now < HOUR ? (int)((first - now) / 1000 + 1) : (int)(HOUR / 1000);
}

static void set_metrics(const struct master *m)
{
	metrics_set(METRIC_GC_DUE, schedule_due(&m->schedule));
	for (size_t i = 0; i < METRICS_POOLS; i++) {
		metrics_set(METRIC_WORKERS_WANTED + (enum metric)i, m->pools[i].want);
		metrics_set(METRIC_WORKERS + (enum metric)i, pool_size(&m->pools[i]));
	}
}

static void wait_and_act(struct master *m)
{
	struct pollfd fds[2 + METRICS_POOLS] = { { .fd = m->signal_fd, .events = POLLIN }, { .fd = m->ready[0], .events = POLLIN } };
	size_t i;

	for (i = 0; i < METRICS_POOLS; i++) {
		/*
		 * While no worker accepts, nginx would wait for its time limit on each request. So the master accepts the connections
		 * and closes them, and clients get 503 at once. But if the master is stopping and the socket remains for its successor,
		 * requests wait for that one.
		 */
		bool refuse = !pool_serves(&m->pools[i]) && !(m->stopping && m->pools[i].outlives);

		fds[2 + i] = (struct pollfd){ .fd = refuse ? m->pools[i].fd : -1, .events = POLLIN };
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
	see_loss(m);
}

static int open_master(struct master *m, struct err *e)
{
	sigset_t set;

	/* A log that nobody reads is no reason to end; an inherited SIG_IGN of SIGCHLD would hide that a worker has died. */
	os_signal(SIGPIPE, SIG_IGN);
	os_signal(SIGCHLD, SIG_DFL);

	if (pipe2(m->ready, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, "cannot make a pipe");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd < 0 ? err_sys(e, "cannot wait for signals") : 0;
}

static bool has_processes(const struct master *m)
{
	for (size_t i = 0; i < METRICS_POOLS; i++)
		if (m->pools[i].count)
			return true;
	if (m->beside[BESIDE_AHEAD].pid)
		return true;
	return m->schedule.pid != 0 || m->recount.pid != 0 || m->evictor.pid != 0 || m->relay.pid != 0;
}

/* Whether nobody is asked for a login, by any worker that accepts requests, and there is one. */
static bool is_open(struct master *m)
{
	for (size_t i = 0; i < METRICS_POOLS; i++)
		if (!pool_is_of(&m->pools[i], m->generation))
			return false;
	return !m->stopping && !m->cfg->auth.on && pool_size(&m->pools[POOL_REQUESTS]) > 0;
}

static void serve(struct master *m)
{
	while (!m->stopping || has_processes(m)) {
		for (size_t i = 0; i < METRICS_POOLS && !m->stopping; i++)
			pool_tend(&m->pools[i], m->generation, run_worker, m);
		if (!m->stopping) {
			schedule_tend(&m->schedule, m->cfg, leave_master, m);
			recount_tend(&m->recount, m->cfg, leave_master, m);
			evictor_tend(&m->evictor, m->cfg, leave_master, m);
			relay_child_tend(&m->relay, leave_master, m);
		}
		/* As long as a request is under way others have to see this machine. */
		if (!m->stopping)
			tend_beside(m, BESIDE_AHEAD);
		if (!m->beside[BESIDE_BEAT].lost)
			tend_beside(m, BESIDE_BEAT);
		set_metrics(m);
		openmark_tend(&m->mark, is_open(m));
		wait_and_act(m);
	}
	openmark_tend(&m->mark, false);
	log_say(LOG_INFO, "stopped", "all workers have finished");
}

static void set_rules(struct master *m)
{
	set_counts(m);
	schedule_set(&m->schedule, m->cfg);
	recount_set(&m->recount, m->cfg);
	evictor_set(&m->evictor, m->cfg);
}

/* Begins again when all processes have ended that relied on the lost locks. */
static int serve_again(struct master *m, struct err *e)
{
	struct store_options so = store_options(m->cfg);

	leave(m);
	m->lost = m->stopping = false;
	m->generation++;
	if (join(m, &so, e) < 0)
		return -1;
	set_rules(m);
	log_say(LOG_INFO, "ready", "locks taken up again, generation %u", m->generation);
	serve(m);
	return 0;
}

int supervisor_run(const struct supervisor_options *o, struct config *cfg, struct err *e)
{
	struct master m = {
		.pools = {
			[POOL_REQUESTS] = { .label = "requests", .number = POOL_REQUESTS, .fd = o->listen_on.fd, .outlives = o->listen_on.inherited },
			[POOL_WRITES] = { .label = "writes", .number = POOL_WRITES, .fd = o->writes_on.fd, .outlives = o->writes_on.inherited },
			[POOL_UPLOADS] = { .label = "uploads", .number = POOL_UPLOADS, .fd = o->uploads_on.fd, .outlives = o->uploads_on.inherited },
			[POOL_RELAY] = { .label = "relay", .number = POOL_RELAY, .fd = -1, .outlives = o->relay_on.inherited },
		},
		.o = o, .cfg = cfg, .ready = { -1, -1 }, .signal_fd = -1, .serving = SERVING_INIT, .machine = MACHINE_INIT, .generation = 1,
		.mark = OPENMARK_INIT, .relay = RELAY_CHILD_INIT,
		.beside = { { .kind = BESIDE_AHEAD }, { .kind = BESIDE_BEAT } },
	};
	struct store_options so = store_options(cfg);
	size_t i;
	int rc;

	m.throttle = throttle_open();
	for (i = 0; i < METRICS_POOLS; i++)
		m.pools[i].seats = seats_open();
	relay_child_init(&m.relay, o);
	rc = openmark_begin(&m.mark, o->listen_on.fd, e);
	if (rc == 0)
		m.keys = keyring_open(cfg, true, NULL, e);
	if (rc == 0)
		rc = !m.keys || join(&m, &so, e) < 0 ? -1 : open_master(&m, e);
	if (rc == 0) {
		startup_tidy(&so);
		set_rules(&m);
		log_say(LOG_INFO, "ready", "store %s, %u workers, %u for writes, %u for uploads", m.cfg->root,
			m.pools[POOL_REQUESTS].want, m.pools[POOL_WRITES].want, m.pools[POOL_UPLOADS].want);
		os_notify_ready();
		serve(&m);
	}
	while (rc == 0 && m.lost)
		rc = serve_again(&m, e);
	leave(&m);
	os_cleanup_fd(&m.signal_fd);
	os_cleanup_fd(&m.ready[0]);
	os_cleanup_fd(&m.ready[1]);
	for (i = 0; i < METRICS_POOLS; i++) {
		pool_release(&m.pools[i]);
		seats_close(&m.pools[i].seats);
	}
	throttle_close(&m.throttle);
	openmark_release(&m.mark);
	relay_child_release(&m.relay);
	keyring_close(&m.keys);
	config_close(&m.cfg);
	return rc;
}
