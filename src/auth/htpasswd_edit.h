/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_HTPASSWD_EDIT_H
#define BERTH_AUTH_HTPASSWD_EDIT_H

/*
 * htpasswd_edit: changing one user's line of a password file while it is in use.
 *
 * A complete new file replaces the old one, with its mode and owner. All other lines, also comments and invalid ones, stay
 * the same byte by byte. Concurrent edits are serialized by a lock on FILE.lock, which is not removed.
 */

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/str.h"

enum htpasswd_change { HTPASSWD_ADD, HTPASSWD_SET, HTPASSWD_REMOVE };

struct htpasswd_owner {         /* of a new file; uid -1: the caller's */
	uid_t uid;
	gid_t gid;
};

/*
 * htpasswd_edit - change the line of a user
 * file  need not exist for HTPASSWD_ADD: it is then created with mode 0600
 * hash  the new one; ignored for HTPASSWD_REMOVE
 *
 * Returns 1 done; 0 if the user exists (HTPASSWD_ADD) or does not (the others); -1 with *e.
 */
int htpasswd_edit(const char *file, enum htpasswd_change change, const char *user, const char *hash,
		  const struct htpasswd_owner *owner, struct err *e);

#endif
