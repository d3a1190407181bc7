/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_options: mount options that are wrong, and those that help.
 *
 * Owns the tables of file systems.
 */
#include "os/fs_options.h"

#include <string.h>

#include "base/mem.h"

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

const char *fs_options_fault(const char *type, const char *options, const char **why)
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

void fs_options_fresh(const char *type, const char *options, struct str *out)
{
	static const struct {
		const char *type, *fresh;
	} known[] = {
		{ "fuse.mfs", "mfsattrcacheto=0,mfsentrycacheto=0,mfsdirentrycacheto=0,mfsnegentrycacheto=0,mfscachemode=NO" },
		{ "fuse.glusterfs", "attribute-timeout=0,entry-timeout=0,negative-timeout=0, and the volume as doc/MACHINES.md says" },
	};
	cleanup_str struct str nfs = STR_INIT;
	size_t i;

	if (is_kind(type, "nfs,nfs4"))
		advise_nfs(options, &nfs);
	str_puts(out, nfs.buf);
	for (i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(type, known[i].type) == 0)
			str_puts(out, known[i].fresh);
}
