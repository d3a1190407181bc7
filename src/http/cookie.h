/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_COOKIE_H
#define BERTH_HTTP_COOKIE_H

/*
 * cookie: the cookie of a session, in a request and in an answer (doc/AUTH.md, "Browsers").
 *
 * Its name depends on the scheme that the browser has used: over https it is "__Host-berth", which no other host can set; else "berth".
 * A cookie of the other name is ignored.
 */

#include "http/exchange.h"

/* cookie_find - the value; false where there is none, or two that differ, one of which somebody else may have set */
bool cookie_find(const struct exchange *x, struct str *out);

/* cookie_set - have the browser keep this value for as long as a session lasts; "": have it forget the cookie */
void cookie_set(struct exchange *x, const char *value);

#endif
