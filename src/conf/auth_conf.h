/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_AUTH_CONF_H
#define BERTH_CONF_AUTH_CONF_H

/* auth_conf: the group "auth" as a whole. Private to src/conf; config.h declares the predicates for other folders. */

#include "base/str.h"
#include "conf/config.h"

/*
 * auth_conf_check - check the group after all settings are read: unknown groups in rules, no way to log in, and so on
 * warn  gets a line for a valid but surprising configuration; may be NULL
 * Returns 0, or -1 with a line for each fault in msg.
 */
int auth_conf_check(const struct config *c, struct str *warn, struct str *msg);

void auth_conf_release(struct config_auth *a);

#endif
