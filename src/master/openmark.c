/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openmark: the file by which nginx knows that a registry is open.
 *
 * Owns PATH.open, and PATH.open.new for a moment. Knows nothing of the configuration.
 */
#include "master/openmark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/file.h"
#include "os/sock.h"

int openmark_begin(struct openmark *m, int listen_fd, struct err *e)
{
	if (!sock_path(listen_fd, &m->path))
		return 0;
	str_puts(&m->path, ".open");
	return openmark_drop(m, e);
}

int openmark_drop(struct openmark *m, struct err *e)
{
	if (m->path.len && unlink(m->path.buf) < 0 && !os_gone(errno))
		return err_sys(e, "cannot remove %s, by which nginx lets everybody in; remove it", m->path.buf);
	m->there = false;
	return 0;
}

/* No flush: after a power cut no master serves, and the next one removes it. */
static int make(struct openmark *m)
{
	cleanup_str struct str tmp = STR_INIT;
	int saved;

	str_addf(&tmp, "%s.new", m->path.buf);
	unlink(tmp.buf);
	if (os_write_file(AT_FDCWD, tmp.buf, "", 0, false) == 0 && rename(tmp.buf, m->path.buf) == 0)
		return 0;
	saved = errno;
	unlink(tmp.buf);
	errno = saved;
	return -1;
}

void openmark_tend(struct openmark *m, bool open)
{
	cleanup_err struct err e = ERR_INIT;

	if (!m->path.len || open == m->there)
		return;
	if (!open) {
		if (openmark_drop(m, &e) < 0)
			log_say(LOG_ERROR, "openmark", "%s", e.cause);
		return;
	}
	m->there = make(m) == 0;
	if (!m->there && !m->failed)
		log_say(LOG_WARN, "openmark", "cannot make %s: %s; nginx asks a worker for each answer to /v2/", m->path.buf, strerror(errno));
	m->failed = !m->there;
}

void openmark_release(struct openmark *m)
{
	str_release(&m->path);
}
