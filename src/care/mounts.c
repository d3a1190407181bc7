/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts: what a file system does of what berth needs.
 *
 * Owns the directory in which all of it is tried. Knows nothing of stores.
 */
#include "care/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "care/mounts_line.h"
#include "care/mounts_own.h"
#include "os/again.h"
#include "os/file.h"
#include "os/fs.h"
#include "os/fs_options.h"
#include "os/process.h"
#include "os/tree.h"

static void say_options(struct mounts *m, const struct mounts_mount *mount)
{
	static const char name[] = "mount options";
	const char *why, *fault = fs_options_fault(mount->type.buf, mount->options.buf, &why);
	bool two = m->o->other || m->o->with;

	if (mount->type.len)
		mounts_say(m, "file system", MOUNTS_INFO, -1, "%s: %s, %s", mount->name.buf, mount->type.buf, mount->options.buf);
	if (fault)
		mounts_say(m, name, two ? MOUNTS_UNFIT : MOUNTS_INFO, -1, "%s: %s: %s", mount->name.buf, fault, why);
}

/* "TYPE OPTIONS", of the other machine */
static void take_options(struct mounts_mount *mount, const char *text)
{
	size_t len = strcspn(text, " ");

	if (!text[len])
		return;
	str_add(&mount->type, text, len);
	str_puts(&mount->options, text + len + 1);
}

static int enter_other(struct mounts *m, const char *name, struct str *said, struct err *e)
{
	const char *other = m->mounts[1].name.buf, *remedy;

	if (mounts_tell(m, "enter %s", name) == 0 && mounts_hear(m, said) == 0)
		return 0;
	if (mounts_over(m))
		return -1;
	remedy = mounts_remedy(errno);
	if (errno == EPIPE || errno == EPROTO)
		return err_set(e, ERR_UNKNOWN, "the other machine does not answer any more: %s", remedy);
	if (said->len)
		return err_set(e, ERR_UNKNOWN, "cannot open %s: %s", other, strerror(errno));
	if (remedy)
		return err_set(e, ERR_UNKNOWN, "cannot open what is made in %s through %s: %s: %s", m->o->dir, other, strerror(errno), remedy);
	return err_set(e, ERR_UNKNOWN, "%s is another directory than %s, or does not show what is made there: name the same one of the same volume",
		       other, m->o->dir);
}

/* One file system may be mounted twice as one (NFS shares what it caches): then there is only one client. */
static int meet_other(struct mounts *m, const char *name, struct err *e)
{
	cleanup_str struct str said = STR_INIT, own = STR_INIT;
	struct mounts_mount *other = &m->mounts[1];
	struct stat sb;
	size_t len;

	str_puts(&other->name, m->o->with ? "the other machine" : m->o->other);
	if (mounts_meet(m, e) < 0 || enter_other(m, name, &said, e) < 0)
		return -1;
	if (os_fstat(m->a, &sb) < 0)
		return err_sys(e, "cannot look at %s", m->o->dir);
	mounts_add_machine(&own, &sb);
	len = strcspn(said.buf, " ");
	if (len == own.len && memcmp(said.buf, own.buf, len) == 0)
		return err_set(e, ERR_UNKNOWN, "%s and %s are one mount: mount the volume twice (NFS: with nosharecache)", m->o->dir,
			       other->name.buf);
	if (said.buf[len] == ' ')
		take_options(other, said.buf + len + 1);
	return m->o->client ? mounts_client_known(m, e) : 0;
}

static int try_in(struct mounts *m, int dirfd, const char *name, struct err *e)
{
	static void (*const trials[])(struct mounts *) = {
		mounts_clocks, mounts_locks, mounts_handover, mounts_winners, mounts_ages, mounts_open_files, mounts_client,
	};
	bool two = m->o->other || m->o->with;
	size_t i;

	m->a = os_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (m->a < 0)
		return err_sys(e, "cannot open %s/%s", m->o->dir, name);
	str_puts(&m->mounts[0].name, m->o->dir);
	fs_describe(m->a, &m->mounts[0].type, &m->mounts[0].options);
	if (two && meet_other(m, name, e) < 0)
		return -1;
	say_options(m, &m->mounts[0]);
	if (two)
		say_options(m, &m->mounts[1]);
	if (!mounts_over(m))
		mounts_alone(m);
	for (i = 0; two && i < ARRAY_LEN(trials) && !mounts_over(m); i++)
		if ((trials[i] != mounts_clocks || m->o->with) && (trials[i] != mounts_client || m->o->client))
			trials[i](m);
	return m->over ? -1 : 0;
}

static int make_own(const struct mounts_options *o, int *dirfd, struct str *name, struct err *e)
{
	const char *remedy;
	uint64_t random;

	*dirfd = os_open(AT_FDCWD, o->dir, O_RDONLY | O_DIRECTORY, 0);
	if (*dirfd < 0)
		return err_sys(e, "cannot open %s", o->dir);
	os_random(&random, sizeof(random));
	str_addf(name, MOUNTS_PREFIX "%016" PRIx64, random);
	if (os_mkdirat(*dirfd, name->buf, 0700) == 0)
		return 0;
	remedy = mounts_remedy(errno);
	return err_set(e, ERR_UNKNOWN, "cannot make a directory in %s: %s%s%s", o->dir, strerror(errno), remedy ? ": " : "", remedy ? remedy : "");
}

static void release(struct mounts *m)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(m->mounts); i++) {
		str_release(&m->mounts[i].name);
		str_release(&m->mounts[i].type);
		str_release(&m->mounts[i].options);
	}
	str_release(&m->because);
	os_cleanup_fd(&m->a);
}

int mounts_try(const struct mounts_options *o, enum mounts_verdict *worst, struct str *text, struct err *e)
{
	static const struct mounts_mount none = { STR_INIT, STR_INIT, STR_INIT };
	struct mounts m = { .o = o, .a = -1, .b = -1, .worst = MOUNTS_OK, .because = STR_INIT, .mounts = { none, none }, .e = e };
	cleanup_str struct str name = STR_INIT;
	cleanup_fd int dirfd = -1;
	int rc;

	*worst = MOUNTS_OK;
	str_reset(text);
	if (make_own(o, &dirfd, &name, e) < 0)
		return -1;
	rc = try_in(&m, dirfd, name.buf, e);
	mounts_part(&m);
	if (os_remove_tree(dirfd, name.buf) < 0 && rc == 0)
		rc = err_sys(e, "cannot remove %s/%s", o->dir, name.buf);
	if (rc == 0 && os_asked_to_end())
		rc = err_set(e, ERR_UNKNOWN, "it was told to end");
	*worst = m.worst;
	mounts_judge(&m, text);
	release(&m);
	return rc;
}
