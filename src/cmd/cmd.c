/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd: what the subcommands of `berth` have in common. Knows none of them. Owns nothing.
 */

#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"
#include "store/layout.h"
#include "store/store_path.h"

const struct event_by *cmd_by(void)
{
	static struct event_by by;
	const struct passwd *user;

	if (!by.login) {
		user = getpwuid(getuid());
		by.user = user ? user->pw_name : NULL;
		by.login = "command";
	}
	return &by;
}

struct config *cmd_config(const struct cmd_options *o)
{
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT;
	cleanup_config struct config *c = config_load(o->config, environ, &warn, &msg);

	if (warn.len)
		fprintf(stderr, "berth: warning: %s\n", warn.buf);
	if (c && (!o->root || config_set_root(c, o->root, &msg) == 0))
		return STEAL(c);
	fprintf(stderr, "%s\n", msg.buf);
	return NULL;
}

/* The workers could not read or write files that belong to root. */
static int become_owner(const char *root, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	str_addf(&path, "%s/" STORE_BERTH_DIR, root);
	if (stat(path.buf, &sb) < 0) {          /* a store that only registry:2 has served */
		str_reset(&path);
		str_addf(&path, "%s/" STORE_V2_DIR, root);
	}
	if (stat(path.buf, &sb) < 0)
		return err_sys(e, "%s is no store of a registry: it has neither berth/ nor docker/registry/v2/", root);
	if (geteuid() != 0 || (sb.st_uid == 0 && sb.st_gid == 0))
		return 0;
	if (setgroups(0, NULL) < 0 || setgid(sb.st_gid) < 0 || setuid(sb.st_uid) < 0)
		return err_sys(e, "cannot become the owner of %s", path.buf);
	return 0;
}

/* Nobody has served the store with berth yet: what a start would make is missing. */
static int make_layout(const struct store_options *so, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	str_addf(&path, "%s/" STORE_LOCKS_DIR, so->root);
	return access(path.buf, F_OK) == 0 || errno != ENOENT ? 0 : layout_prepare(so, e);
}

static int open_as_owner(const struct config *c, bool readonly, bool image, struct store **st, struct err *e)
{
	struct store_options so = registry_store(c);

	so.readonly = readonly;
	so.image = image;
	*st = NULL;
	if (!readonly)
		cmd_by();       /* it remembers who this is: next the process becomes the owner of the store */
	if (become_owner(c->root, e) < 0 || (!readonly && make_layout(&so, e) < 0))
		return -1;
	return store_open(st, &so, e);
}

int cmd_store(const struct config *c, struct store **st, struct err *e)
{
	return open_as_owner(c, false, false, st, e);
}

int cmd_store_to_read(const struct config *c, struct store **st, struct err *e)
{
	return open_as_owner(c, true, false, st, e);
}

static int open_to_change(const struct config *c, bool image, struct store **st, struct err *e)
{
	*st = NULL;
	if (c->readonly)
		return err_set(e, ERR_UNSUPPORTED, "the registry is read-only, its configuration says");
	return open_as_owner(c, false, image, st, e);
}

int cmd_store_to_change(const struct config *c, struct store **st, struct err *e)
{
	return open_to_change(c, false, st, e);
}

int cmd_store_to_push(const struct config *c, struct store **st, struct err *e)
{
	return open_to_change(c, c->fsync == FSYNC_IMAGE, st, e);
}

int cmd_on_store(const struct cmd_options *o, cmd_open *open, cmd_work *work, void *arg)
{
	cleanup_config struct config *c = cmd_config(o);
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	int rc;

	if (!c)
		return CMD_USAGE;
	rc = open(c, &st, &e);
	if (rc == 0)
		rc = work(&(struct registry){ .st = st, .cfg = c, .by = cmd_by() }, arg, &e);
	if (rc >= 0)
		return rc;
	cmd_complain(&e);
	return CMD_FOUND;
}

int cmd_invalid(const char *text, const char *what)
{
	cleanup_str struct str shown = STR_INIT;

	str_add_shown(&shown, text, strlen(text), SIZE_MAX);
	fprintf(stderr, "berth: \"%s\" is not a valid %s\n", shown.buf, what);
	return CMD_USAGE;
}

int cmd_name(struct name *n, const char *text)
{
	if (name_parse(n, text, strlen(text)) == 0)
		return 0;
	cmd_invalid(text, "repository name");
	return -1;
}

int cmd_read(const char *file, size_t max, struct str *text)
{
	cleanup_fd int opened = -1;
	int fd = STDIN_FILENO;

	if (strcmp(file, "-") != 0)
		fd = opened = os_open(AT_FDCWD, file, O_RDONLY, 0);
	if (fd >= 0 && os_read_str(fd, max + 1, text) == 0) {
		if (text->len <= max)
			return 0;
		errno = EFBIG;
	}
	fprintf(stderr, "berth: cannot read %s: %s\n", file, strerror(errno));
	return -1;
}

void cmd_complain(const struct err *e)
{
	cleanup_str struct str line = STR_INIT;

	err_text(e, &line);
	fprintf(stderr, "berth: %s\n", line.buf);
}

int cmd_usage(const struct cmd *cmd)
{
	fprintf(stderr, "usage: berth [--config FILE] [--root DIR] %s %s\n", cmd->name, cmd->args);
	return CMD_USAGE;
}
