/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_advice: the line at the end, and what helps.
 *
 * Owns no state.
 */
#include "care/mounts_own.h"

#include <string.h>

#include "os/fs_options.h"

/* Each of the two mounts may be one of its own kind. */
static void add_caches(const struct mounts *m, struct str *out)
{
	cleanup_str struct str one = STR_INIT, other = STR_INIT;

	fs_options_fresh(m->mounts[0].type.buf, m->mounts[0].options.buf, &one);
	fs_options_fresh(m->mounts[1].type.buf, m->mounts[1].options.buf, &other);
	str_puts(out, "; what one machine has acknowledged others may see late");
	if (one.len && strcmp(one.buf, other.buf) == 0)
		str_addf(out, ": mount it with %s", one.buf);
	else if (one.len)
		str_addf(out, ": mount %s with %s", m->mounts[0].name.buf, one.buf);
	if (other.len && strcmp(one.buf, other.buf) != 0)
		str_addf(out, "%s mount %s with %s", one.len ? ", and" : ":", m->mounts[1].name.buf, other.buf);
}

void mounts_judge(const struct mounts *m, struct str *out)
{
	bool two = m->o->other || m->o->with;

	if (m->worst == MOUNTS_UNFIT) {
		str_addf(out, "%s: %s", m->none ? "no store can be here" : "several machines must not serve a store here", m->because.buf);
	} else if (m->worst == MOUNTS_STALE) {
		str_puts(out, m->because.buf);
		if (m->caches)
			add_caches(m, out);
		if (m->clocks)
			str_puts(out, "; set the clocks by NTP");
		if (m->sessions)
			str_puts(out, "; have the file system end sessions of dead clients sooner");
	} else {
		str_puts(out, two ? "several machines can serve a store here" :
			 "a store can be here; what two machines see of each other takes a second mount");
	}
}
