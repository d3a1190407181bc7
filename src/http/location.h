/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_LOCATION_H
#define BERTH_HTTP_LOCATION_H

/*
 * location: the URLs that answers name (doc/API.md, "Location").
 *
 * A script may pass Location to curl as it comes, and so needs an absolute URL. But behind a proxy that ends TLS and says
 * nothing of it an absolute URL would be wrong, while a path is right everywhere.
 */

#include "http/exchange.h"

/*
 * location_scheme - "http" or "https": as a trusted proxy says that the client has used, else by which it has reached the web server
 * location_host   - set out to the host that the client has asked, as nginx knows it of a trusted proxy or as it is in Host; whether
 *                   that is a valid one
 */
const char *location_scheme(const struct exchange *x);
bool location_host(const struct exchange *x, struct str *out);

/* location_set - set Location; the format gives the path from /v2/ on, and perhaps a query */
void location_set(struct exchange *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* location_base - add the URL by which the client has reached the registry, http.prefix included, as far as it can be told */
void location_base(struct exchange *x, struct str *out);

/*
 * location_unprefix - remove http.prefix from the request's path
 * NAME_UNKNOWN 404 where the path does not begin with it; the path is then unchanged
 */
int location_unprefix(struct exchange *x, struct err *e);

#endif
