/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_NETWORK_H
#define BERTH_BASE_NETWORK_H

/* network: lists of addresses and networks, "10.0.0.0/8,2001:db8::/32,192.0.2.7", and hosts with a port, as text. */

#include <stdbool.h>

/* network_list_ok - whether the text is such a list; it may be empty */
bool network_list_ok(const char *list);

/* network_list_has - whether an address, as text, is in one of the networks; the list has passed network_list_ok() */
bool network_list_has(const char *list, const char *address);

/*
 * network_host_ok - whether s is the value of a header Host (RFC 3986, 3.2.2) as far as registries use it: a name, an IPv4
 * address or an IPv6 address in brackets, and perhaps a port. s may be NULL: false.
 */
bool network_host_ok(const char *s);

/* network_host_direct - whether a host that has passed network_host_ok() is localhost or an IP address */
bool network_host_direct(const char *s);

#endif
