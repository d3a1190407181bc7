/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_HTPASSWD_EDIT_H
#define BERTH_AUTH_HTPASSWD_EDIT_H

/*
 * htpasswd_edit: changing one user's line of a password file, while it is in use.
 *
 * The new file appears whole under the old name, with the mode and the owner of the old one. Lines of others, comments
 * too, stay as they are, byte by byte, also those that berth would not take. Changes wait for each other by a lock on
 * FILE.lock, which stays.
 */

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/str.h"

enum htpasswd_change { HTPASSWD_ADD, HTPASSWD_SET, HTPASSWD_REMOVE };

struct htpasswd_owner {         /* whose a file is that is made; uid -1: who makes it */
	uid_t uid;
	gid_t gid;
};

/*
 * htpasswd_edit - change the line of a user
 * file  need not exist for HTPASSWD_ADD; it is made with mode 0600 then
 * hash  the new one; not for HTPASSWD_REMOVE
 *
 * Returns 1 done, 0 where HTPASSWD_ADD finds the user there, or the others do not; -1 with *e.
 */
int htpasswd_edit(const char *file, enum htpasswd_change change, const char *user, const char *hash,
		  const struct htpasswd_owner *owner, struct err *e);

#endif
