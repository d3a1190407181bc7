/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SESSION_H
#define BERTH_STORE_SESSION_H

/*
 * session: what the store keeps of the sessions of browsers (doc/STORE.md, "Sessions"): the key that signs them, and the names of those
 * that were ended before they expired.
 *
 * A session is nowhere on disk while it lasts: its cookie says what it is. One that was ended is an empty file below berth/sessions/ended/
 * until it would have expired, so readers look for one name, without a lock, and machines that share a store know of each other's.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

#define SESSION_KEY_LEN 32
#define SESSION_ENDED_MAX 1000  /* of one user: whoever has that many waits until the oldest would have expired */

/* What names a session: the cookie has the same. */
struct session {
	uint64_t expires;       /* seconds since the epoch */
	struct digest user;     /* the SHA-256 of the name */
	struct uuid id;
};

/*
 * session_possible - whether a session can be begun and ended here: not on a file system that is read-only
 * A registry that is read-only by its configuration has sessions: they change nothing that clients push or pull.
 */
bool session_possible(const struct store *st);

/*
 * session_key - read the key; make: create it, with mode 0600, unless it exists
 * Returns 1, 0 if there is none, -1 with *e. The caller wipes it.
 */
int session_key(struct store *st, bool make, unsigned char key[SESSION_KEY_LEN], struct err *e);

/* session_end - remember that a session has ended; durable, and no error if it is remembered already */
int session_end(struct store *st, const struct session *s, struct err *e);

/* session_has_ended - 1, 0, or -1 with *e */
int session_has_ended(struct store *st, const struct session *s, struct err *e);

/*
 * session_tidy - forget those that have expired an hour before now
 * user   whose sessions are counted; may be NULL
 * count  gets how many of that user are still remembered
 *
 * What has another name stays: fsck names it.
 */
int session_tidy(struct store *st, uint64_t now, const struct digest *user, size_t *count, struct err *e);

/* session_name_ok - whether a file of berth/sessions/ended/ can have this name */
bool session_name_ok(const char *name);

#endif
