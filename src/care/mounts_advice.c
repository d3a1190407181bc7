/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_advice: mount options that are wrong, those that help, and the line at the end.
 *
 * Owns the table of options that are wrong.
 */
#include "care/mounts_own.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/fs.h"

static bool has(const char *options, const char *option)
{
	cleanup_str struct str all = STR_INIT, one = STR_INIT;

	str_addf(&all, ",%s,", options);
	str_addf(&one, ",%s,", option);
	return strstr(all.buf, one.buf) != NULL;
}

static bool is_kind(const char *type, const char *kinds)
{
	return has(kinds, type);
}

const char *mounts_fault(const char *type, const char *options, const char **why)
{
	static const char local[] = "locks stay on this machine; mount it without";
	static const char late[] = "a machine whose locks have ended goes on; mount it without";
	static const struct {
		const char *types, *option, *why;
	} faults[] = {
		{ "nfs,nfs4", "nolock", local }, { "nfs,nfs4", "local_lock=all", local }, { "nfs,nfs4", "local_lock=flock", local },
		{ "lustre", "localflock", local }, { "gfs2", "localflocks", local }, { "cifs,smb3", "nobrl", local },
		{ "ceph", "recover_session=clean", late },
	};
	size_t i;

	*why = NULL;
	for (i = 0; i < ARRAY_LEN(faults); i++) {
		if (is_kind(type, faults[i].types) && has(options, faults[i].option)) {
			*why = faults[i].why;
			return faults[i].option;
		}
	}
	return NULL;
}

/* The kernel shows what an NFS is mounted with; clients by FUSE keep their options to themselves. */
static void advise_nfs(const char *options, struct str *out)
{
	if (!has(options, "noac") && !(has(options, "acregmax=0") && has(options, "acdirmax=0")))
		str_puts(out, "actimeo=0");
	if (!has(options, "lookupcache=none"))
		str_addf(out, "%slookupcache=none", out->len ? "," : "");
}

void mounts_advise(const char *type, const char *options, struct str *out)
{
	cleanup_str struct str nfs = STR_INIT;
	const char *fresh = fs_fresh_options(type);

	if (is_kind(type, "nfs,nfs4"))
		advise_nfs(options, &nfs);
	else if (fresh)
		str_puts(out, fresh);
	str_puts(out, nfs.buf);
}

/* Each of the two mounts may be one of its own kind. */
static void add_caches(const struct mounts *m, struct str *out)
{
	cleanup_str struct str one = STR_INIT, other = STR_INIT;

	mounts_advise(m->mounts[0].type.buf, m->mounts[0].options.buf, &one);
	mounts_advise(m->mounts[1].type.buf, m->mounts[1].options.buf, &other);
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
