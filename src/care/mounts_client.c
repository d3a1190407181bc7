/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_client: how long the locks stay of a client of the file system that has died.
 *
 * Owns no state.
 */
#include "care/mounts_act.h"
#include "care/mounts_own.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "os/file.h"

#define CLIENT_MS 300000        /* within which the lock is free */

int mounts_client_known(struct mounts *m, struct err *e)
{
	int pid = (int)m->o->client;

	if (mounts_ask(m, NULL, "client %d", pid) == 0)
		return 0;
	if (errno == ESRCH)
		return err_set(e, ERR_UNKNOWN, "there is no process %d where the client of %s has to be", pid, m->mounts[1].name.buf);
	if (errno == EXDEV)
		return err_set(e, ERR_UNKNOWN, "process %d is not the client of %s: name the one that serves this mount", pid, m->mounts[1].name.buf);
	if (errno == EOPNOTSUPP)
		return err_set(e, ERR_UNKNOWN, "%s is not mounted by a process (FUSE): there is none to kill", m->mounts[1].name.buf);
	return err_sys(e, "cannot look at process %d", pid);
}

void mounts_client(struct mounts *m)
{
	static const char name[] = "lock of a killed client";
	cleanup_fd int fd = -1;
	uint64_t begun, unused;
	unsigned ms;

	if (mounts_ask(m, NULL, "hold") < 0)
		return mounts_failed(m, name, "flock");
	begun = time_now_usec();
	if (mounts_ask(m, NULL, "end-client %d", (int)m->o->client) < 0)
		return mounts_failed(m, name, "kill");
	for (ms = 0; fd < 0 && ms < CLIENT_MS && !mounts_over(m); ms += ACT_PASSED_MS) {
		fd = act_lock(m->a, ACT_LOCK, true, ACT_PASSED_MS);
		if (fd < 0 && errno != EWOULDBLOCK)
			return mounts_failed(m, name, "flock");
		mounts_ask(m, &unused, "stale");   /* who hears nothing for too long ends */
	}
	if (mounts_over(m))
		return;
	m->sessions |= fd < 0;
	if (fd < 0)
		mounts_say(m, name, MOUNTS_STALE, -1, "it is not free after %d s", CLIENT_MS / 1000);
	else
		mounts_say(m, name, MOUNTS_INFO, (int64_t)(time_now_usec() - begun), "until another machine has it");
}
