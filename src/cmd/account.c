/* SPDX-License-Identifier: Apache-2.0 */
/* account: changes one line of a file of accounts, and writes the audit. Owns nothing. */
#include "cmd/account.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

static void audit(const char *action, const char *user, const char *file)
{
	const struct passwd *pw = getpwuid(getuid());
	struct log_event ev;

	log_audit(&ev, action);
	log_str(&ev, "user", user);
	log_str(&ev, "file", file);
	if (pw)
		log_str(&ev, "by", pw->pw_name);
	else
		log_int(&ev, "by", getuid());
	log_str(&ev, "remote", "local");
	log_end(&ev);
}

/* A file that root makes belongs to the owner of the store, so that the workers can read it. */
static struct htpasswd_owner owner_of(const struct config *c)
{
	struct htpasswd_owner o = { (uid_t)-1, (gid_t)-1 };
	cleanup_str struct str path = STR_INIT;
	struct stat st;

	str_addf(&path, "%s/berth", c->root);
	if (geteuid() == 0 && (stat(path.buf, &st) == 0 || stat(c->root, &st) == 0))
		o = (struct htpasswd_owner){ st.st_uid, st.st_gid };
	return o;
}

int account_edit(const struct config *c, const struct account_change *what, const char *file, const char *user, const char *line)
{
	cleanup_err struct err e = ERR_INIT;
	struct htpasswd_owner owner = owner_of(c);
	int rc = htpasswd_edit(file, what->change, user, line, &owner, &e);

	if (rc < 0)
		cmd_complain(&e);
	else if (rc == 0)
		fprintf(stderr, "berth: %s: \"%s\" %s\n", what->of, user, what->otherwise);
	else
		audit(what->action, user, file);
	return rc == 1 ? CMD_DONE : CMD_FOUND;
}
