/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_ADDRESS_H
#define BERTH_RELAY_ADDRESS_H

/*
 * address: which addresses a request may reach whose host the operator did not write down (doc/WEBHOOKS.md, "Where requests may go").
 *
 * Public is what the Internet routes to one host of it. Everything else is not: loopback, link-local and private addresses, those shared by a
 * provider's customers, unspecified, multicast, reserved and documentation ones, and each IPv6 address that carries an IPv4 address.
 */

#include <stdbool.h>

struct sockaddr;

/* address_public - whether this is a public address; of another family than IPv4 and IPv6: no */
bool address_public(const struct sockaddr *sa);

/*
 * address_of_host - whether a host, without brackets, is an address by itself
 * public  gets whether it is a public one; false for a name
 */
bool address_of_host(const char *host, bool *public);

#endif
