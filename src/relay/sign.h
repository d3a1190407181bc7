/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_SIGN_H
#define BERTH_RELAY_SIGN_H

/* sign: the signature of a delivery, and the files that have its key and the values of headers (doc/WEBHOOKS.md, "Signature"). */

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define SIGN_FILE_MAX 4096      /* bytes of a file with a key or a header's value */

/*
 * sign_read - read a file that has one line, into an empty buffer, without the newline at its end
 * Returns 0, or -1 with a line for the operator in *why, which has nothing of the file.
 */
int sign_read(const char *path, struct str *out, struct str *why);

/* sign_header - add "Berth-Signature: t=UNIX,v1=HEX": HMAC-SHA256 under the key of the time in decimal, a dot, and the body */
void sign_header(struct str *out, const struct str *key, int64_t when, const struct str *body);

#endif
