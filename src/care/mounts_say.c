/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_say: telling what came of a trial, and which failures are no result.
 *
 * Owns no state.
 */
#include "care/mounts_own.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "os/process.h"

void mounts_say(struct mounts *m, const char *name, enum mounts_verdict verdict, int64_t usec, const char *fmt, ...)
{
	cleanup_str struct str text = STR_INIT;
	struct mounts_result r = { .name = name, .verdict = verdict, .usec = usec };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	r.text = text.buf;
	if (verdict > m->worst) {
		m->worst = verdict;
		str_reset(&m->because);
	}
	if (verdict == m->worst && verdict > MOUNTS_OK)
		str_addf(&m->because, "%s%s", m->because.len ? ", " : "", name);
	m->none |= m->one && verdict == MOUNTS_UNFIT;
	m->o->tell(m->o->arg, &r);
	mounts_alive();
}

const char *mounts_remedy(int error)
{
	static const struct {
		int error;
		const char *remedy;
	} known[] = {
		{ ENOSPC, "free some space there" },
		{ EDQUOT, "raise the quota there" },
		{ EACCES, "run it as the user that berth runs as, and give that one the right to write there" },
		{ EROFS, "mount it for writing" },
		{ EMFILE, "allow this user more open files" }, { ENFILE, "allow more open files" }, { ENOMEM, "free some memory" },
		{ EIO, "look for the reason in the logs of the kernel and of the file system" },
		{ ENOTCONN, "mount it anew, its client has ended" }, { ECONNABORTED, "mount it anew, its client has ended" },
		{ ESHUTDOWN, "mount it anew, its session was ended" },
		{ EHOSTDOWN, "see to the file system's servers" }, { ETIMEDOUT, "see to the file system's servers" },
		{ EPIPE, "see to the connection and to what it says on standard error" },
		{ EPROTO, "install the same version of berth there" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (error == known[i].error)
			return known[i].remedy;
	return NULL;
}

void mounts_failed(struct mounts *m, const char *name, const char *call)
{
	int failed = errno;
	const char *remedy = mounts_remedy(failed);

	if (mounts_over(m))
		return;
	if (!remedy)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "%s failed: %s", call, strerror(failed));
	m->over = true;
	if (failed == EPIPE || failed == EPROTO)
		err_set(m->e, ERR_UNKNOWN, "%s: the other machine %s: %s", name,
			failed == EPIPE ? "does not answer any more" : "answers with something else", remedy);
	else
		err_set(m->e, ERR_UNKNOWN, "%s: %s failed: %s: %s", name, call, strerror(failed), remedy);
}

bool mounts_over(struct mounts *m)
{
	return m->over || os_asked_to_end();
}
