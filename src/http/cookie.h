/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_COOKIE_H
#define BERTH_HTTP_COOKIE_H

/*
 * cookie: the cookie of a session, in a request and in an answer (doc/AUTH.md, "Browsers").
 *
 * Its name depends on the scheme that the browser has used: over https it is "__Host-berth-TAG", which no other host can set; else "berth-TAG".
 * A cookie of the other name is ignored. Browsers send the cookies of a host to all its ports, so the tag is another one in each registry.
 */

#include "base/err.h"
#include "http/exchange.h"

/* cookie_values - all values of this name, one a line: 1, 0 none, -1 with *e where the key of the sessions cannot be read */
int cookie_values(const struct exchange *x, struct str *out, struct err *e);

/*
 * cookie_set - have the browser keep this value for as long as a session lasts; "": have it forget the cookie
 * Where there has never been a session there is nothing to forget. -1 with *e as above.
 */
int cookie_set(struct exchange *x, const char *value, struct err *e);

#endif
