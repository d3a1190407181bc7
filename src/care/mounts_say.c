/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_say: telling what came of a trial.
 *
 * Owns no state.
 */
#include "care/mounts_own.h"

#include <errno.h>
#include <string.h>

void mounts_say(struct mounts *m, const char *name, enum mounts_verdict verdict, int64_t usec, const char *fmt, ...)
{
	cleanup_str struct str text = STR_INIT;
	struct mounts_result r = { .name = name, .verdict = verdict, .usec = usec };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	r.text = text.buf;
	if (verdict > m->worst)
		m->worst = verdict;
	m->o->tell(m->o->arg, &r);
}

void mounts_failed(struct mounts *m, const char *name, const char *call)
{
	mounts_say(m, name, MOUNTS_UNFIT, -1, "%s failed: %s", call, strerror(errno));
}
