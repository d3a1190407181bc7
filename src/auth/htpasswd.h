/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_HTPASSWD_H
#define BERTH_AUTH_HTPASSWD_H

/*
 * htpasswd: checking passwords against a file that may change at any time. auth/watched has the policy for a file that
 * becomes invalid.
 */

#include <stddef.h>
#include "auth/htpasswd_file.h"
#include "base/err.h"

struct htpasswd;

enum htpasswd_answer { HTPASSWD_WRONG, HTPASSWD_UNKNOWN_USER, HTPASSWD_RIGHT };

/* htpasswd_open - after fork; file is borrowed. It is read by the first check. */
struct htpasswd *htpasswd_open(const char *file);
void htpasswd_close(struct htpasswd **h);

/*
 * htpasswd_check - whether this is the password of this user, in one of their spellings (auth/spelling.h)
 * user  NUL-terminated; gets the spelling of the file if it has this user
 * len   of the password, which is not NUL-terminated
 *
 * Returns an enum htpasswd_answer, or -1 UNAVAILABLE 503 if the file is invalid (watched_check). Each refusal takes the
 * same time. A password that was right recently is not hashed again.
 */
int htpasswd_check(struct htpasswd *h, char user[HTPASSWD_USER_MAX + 1], const char *password, size_t len, struct err *e);

#define HTPASSWD_STAMP_MAX 64

/*
 * htpasswd_stamp - a text derived from the user's line, which changes with the password and does not reveal the hash
 * Returns 1, 0 if there is no such user, or -1 as above.
 */
int htpasswd_stamp(struct htpasswd *h, const char *user, char stamp[HTPASSWD_STAMP_MAX], struct err *e);

#endif
