/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_ACCOUNT_H
#define BERTH_CMD_ACCOUNT_H

/* account: what `berth user` and `berth token` have in common: they change a line, set the owner of the file, and write the audit. */

#include "auth/htpasswd_edit.h"
#include "cmd/cmd.h"

struct account_change {
	const char *name;               /* the verb, such as "add" */
	const char *of;                 /* its command, such as "user" */
	enum htpasswd_change change;
	const char *action;             /* in the audit */
	const char *otherwise;          /* why nothing changed, if htpasswd_edit() returns 0: the rest of a line that begins with the user */
};

/*
 * account_edit - change the line of an account in a file, as htpasswd_edit() does
 * line  the text behind the user's name; NULL for HTPASSWD_REMOVE
 *
 * Returns CMD_DONE after writing the audit, or CMD_FOUND after printing an error.
 */
int account_edit(const struct config *c, const struct account_change *what, const char *file, const char *user, const char *line);

#endif
