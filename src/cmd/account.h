/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_ACCOUNT_H
#define BERTH_CMD_ACCOUNT_H

/* account: what the commands that change accounts have in common: the file's owner, complaints, the audit. */

#include "auth/htpasswd_edit.h"
#include "cmd/cmd.h"

struct account_change {
	const char *name;               /* the verb, and the command that it belongs to: "add" of "user" */
	const char *of;
	enum htpasswd_change change;
	const char *action;             /* in the audit */
	const char *otherwise;          /* what is said where htpasswd_edit() gives 0 */
};

/*
 * account_edit - change the line of an account in a file, as htpasswd_edit() does
 * line  what stands behind its name; NULL for HTPASSWD_REMOVE
 *
 * Returns CMD_DONE, and the audit has it; or CMD_FOUND, and stderr says why.
 */
int account_edit(const struct config *c, const struct account_change *what, const char *file, const char *user, const char *line);

#endif
