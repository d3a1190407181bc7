/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_HTPASSWD_H
#define BERTH_AUTH_HTPASSWD_H

/*
 * htpasswd: whether a password is right, by a file that may change at any time.
 *
 * The file is looked at by each check (one stat(2)) and read again when it is another one, so that a change holds from
 * the next request on, in every process. One that cannot be read, or has a fault, holds as it was for HTPASSWD_GRACE
 * seconds from the first check that found it so; after that nobody gets in until it is mended. The log says both.
 */

#include <stddef.h>
#include "base/err.h"

#define HTPASSWD_GRACE 5

struct htpasswd;

enum htpasswd_answer { HTPASSWD_WRONG, HTPASSWD_UNKNOWN_USER, HTPASSWD_RIGHT };

/* htpasswd_open - after fork; file is borrowed. Whether it can be read shows with the first check. */
struct htpasswd *htpasswd_open(const char *file);
void htpasswd_close(struct htpasswd **h);

/*
 * htpasswd_check - whether this is the password of this user
 * user  NUL-terminated; len is the password's, which need not be
 *
 * Returns an enum htpasswd_answer, or -1 UNAVAILABLE 503 where there is no file that could be asked. All refusals take
 * as long; a password that was right a short while ago costs no hashing.
 */
int htpasswd_check(struct htpasswd *h, const char *user, const char *password, size_t len, struct err *e);

#define HTPASSWD_STAMP_MAX 64

/*
 * htpasswd_stamp - what stands for the user's line as it is now, as text: another one once the password is another; the hash
 * cannot be found from it
 * Returns 1, 0 where there is no such user, -1 as above.
 */
int htpasswd_stamp(struct htpasswd *h, const char *user, char stamp[HTPASSWD_STAMP_MAX], struct err *e);

#endif
