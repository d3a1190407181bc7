/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_NETWORK_H
#define BERTH_BASE_NETWORK_H

/* network: lists of addresses and networks, "10.0.0.0/8,2001:db8::/32,192.0.2.7", as text. */

#include <stdbool.h>

/* network_list_ok - whether the text is such a list; it may be empty */
bool network_list_ok(const char *list);

/* network_list_has - whether an address, as text, is in one of the networks; the list has passed network_list_ok() */
bool network_list_has(const char *list, const char *address);

#endif
