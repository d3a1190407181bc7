/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SESSION_H
#define BERTH_STORE_SESSION_H

/*
 * session: what the store keeps of the sessions of browsers (doc/STORE.md, "Sessions"): the key that signs them, and the names of those
 * that were ended before they expired.
 *
 * A session is nowhere on disk while it lasts: its cookie says what it is. One that was ended is an empty file below berth/sessions/ended/
 * until it would have expired, or of very many one says it of all. Readers look for two names, without a lock, and machines that share a store
 * know of each other's.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

#define SESSION_KEY_LEN 32
#define SESSION_ENDED_MAX 1000  /* of one user one by one: beyond it all end that expire no later */

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
 * session_key - read the key; make: create it, with mode 0600, unless it exists; durable, whatever `fsync` says
 * What has another length counts as none, and is replaced. Returns 1, 0 if there is none, -1 with *e. The caller wipes it.
 */
int session_key(struct store *st, bool make, unsigned char key[SESSION_KEY_LEN], struct err *e);

/* session_end - remember that a session has ended; durable, and no error if it is remembered already. now: seconds since the epoch */
int session_end(struct store *st, const struct session *s, uint64_t now, struct err *e);

/* session_has_ended - 1, 0, or -1 with *e */
int session_has_ended(struct store *st, const struct session *s, struct err *e);

/* session_all_ended - all sessions of a user that expire then or before have ended; 0: no such thing is remembered */
int session_all_ended(struct store *st, const struct digest *user, uint64_t *expires, struct err *e);

/* session_tidy - forget those of everybody that have expired an hour before now. What has another name stays: fsck names it. */
int session_tidy(struct store *st, uint64_t now, struct err *e);

/* session_name_ok, session_time_ok - whether a file of berth/sessions/ended/USER/ can have this name, or one of `all` there */
bool session_name_ok(const char *name);
bool session_time_ok(const char *name);

#endif
