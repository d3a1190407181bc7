/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_PROXY_H
#define BERTH_RELAY_PROXY_H

/*
 * proxy: the proxy of a request, by the variables that curl and others honour (doc/WEBHOOKS.md, "Where requests may go").
 *
 * http_proxy for http, https_proxy or HTTPS_PROXY for https, else all_proxy or ALL_PROXY; not for the hosts of no_proxy or NO_PROXY.
 * HTTP_PROXY does not count: a CGI program has it from a client's header.
 */

#include <stdbool.h>

/*
 * proxy_for - the proxy of requests to a host, NULL: none; borrowed from the environment
 * host  a name or an address, without brackets
 */
const char *proxy_for(bool tls, const char *host);

#endif
