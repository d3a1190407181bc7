/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_NETWORK_H
#define BERTH_BASE_NETWORK_H

/* network: lists of addresses and networks, "10.0.0.0/8,2001:db8::/32,192.0.2.7", as text. */

#include <stdbool.h>

/* network_list_ok - whether it is such a list; an empty one is */
bool network_list_ok(const char *list);

/* network_list_has - whether an address, as text, lies in one of them; the list is one that network_list_ok() takes */
bool network_list_has(const char *list, const char *address);

#endif
