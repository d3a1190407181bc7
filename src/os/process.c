/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: signals, children that do not stay behind, and a word to systemd.
 *
 * Owns no state.
 */
#include "os/process.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

void os_stand_back(void)
{
	if (getpriority(PRIO_PROCESS, 0) < 10)
		setpriority(PRIO_PROCESS, 0, 10);
}

/* sd_notify(3): a datagram to a Unix socket; one whose name begins with '@' is abstract. */
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
