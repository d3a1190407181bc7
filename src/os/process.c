/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: signals, children that end with their parent, priorities, and the notification of systemd.
 *
 * Owns the signal that asked this process, and those that it forked, to end.
 */
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

void os_signal(int sig, void (*action)(int))
{
	struct sigaction sa = { .sa_handler = action };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

pid_t os_fork(int at_end)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, at_end);
		if (getppid() != parent)
			_exit(0);
	}
	return pid;
}

int os_tell_parent(pid_t parent, int sig)
{
	if (parent > 0 && getppid() == parent)
		return kill(parent, sig);
	errno = ESRCH;
	return -1;
}

static const int askers[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
static volatile sig_atomic_t asked_here;                /* used if there is no shared memory */
static volatile sig_atomic_t *asked = &asked_here;

static void on_asked(int sig)
{
	if (!*asked)
		*asked = sig;
}

/* SA_RESTART: the work itself checks whether it has to end. */
void os_end_by_asking(void)
{
	struct sigaction sa = { .sa_handler = on_asked, .sa_flags = SA_RESTART }, old;
	void *shared = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (shared != MAP_FAILED)
		asked = shared;
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < ARRAY_LEN(askers); i++)
		if (sigaction(askers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(askers[i], &sa, NULL);
}

int os_asked_to_end(void)
{
	return (int)*asked;
}

_Noreturn void os_end(void)
{
	int sig = os_asked_to_end();

	os_signal(sig, SIG_DFL);
	raise(sig);
	_exit(128 + sig);       /* if the signal is blocked */
}

static struct timespec timespec_of(uint64_t usec)
{
	return (struct timespec){ .tv_sec = (time_t)(usec / 1000000), .tv_nsec = (long)(usec % 1000000) * 1000 };
}

/* Only ppoll(2) unblocks the signals: one that arrived just before a plain sleep would not end it. */
void os_sleep(uint64_t usec)
{
	struct timespec ts = timespec_of(usec);
	sigset_t set, saved;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_LEN(askers); i++)
		sigaddset(&set, askers[i]);
	sigprocmask(SIG_BLOCK, &set, &saved);
	if (!os_asked_to_end())
		ppoll(NULL, 0, &ts, &saved);
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

void os_pause(uint64_t usec)
{
	struct timespec ts = timespec_of(usec);

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

void os_keep_secrets(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

void os_write_alone(void)
{
	umask(umask(0) | S_IWOTH);
}

void os_wait_your_turn(void)
{
	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
}

void os_name_process(const char *name)
{
	prctl(PR_SET_NAME, name);
}

void os_stand_back(void)
{
	if (getpriority(PRIO_PROCESS, 0) < 10)
		setpriority(PRIO_PROCESS, 0, 10);
}

/* sd_notify(3): a datagram to a Unix socket; a name that begins with '@' is abstract. */
void os_notify_ready(void)
{
	static const char word[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, word, strlen(word), MSG_NOSIGNAL, (struct sockaddr *)&sa,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
