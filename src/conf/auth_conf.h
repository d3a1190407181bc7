/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_AUTH_CONF_H
#define BERTH_CONF_AUTH_CONF_H

/* auth_conf: the group "auth" as a whole. Private to src/conf; what others may ask of it is in config.h. */

#include "base/str.h"
#include "conf/config.h"

/*
 * auth_conf_check - what can be seen only when all is read: groups that do not exist, an auth that lets nobody in
 * warn  gets a line for what is allowed and surprises; may be NULL
 */
int auth_conf_check(const struct config *c, struct str *warn, struct str *msg);

void auth_conf_release(struct config_auth *a);

#endif
