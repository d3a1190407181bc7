/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_AUTH_LISTS_H
#define BERTH_CONF_AUTH_LISTS_H

/* auth_lists: the lists of the group "auth": groups and access. Its single settings are in the table of keys. Private to src/conf. */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/fault.h"

/*
 * auth_lists_read - read a setting if it is one of the lists
 * name  "auth.groups" or "auth.access"; for any other false is returned, and nothing done
 */
bool auth_lists_read(struct config_auth *a, const char *name, const config_setting_t *s, struct faults *f);

/* auth_lists_check - what can be seen only when all is read: groups that do not exist */
void auth_lists_check(const struct config_auth *a, struct faults *f);

void auth_lists_release(struct config_auth *a);

/* As config_show, config_given and config_keys: what they say of these lists. */
void auth_lists_show(const struct config_auth *a, struct str *out);
void auth_lists_given(const struct config_auth *a, struct str *out);
void auth_lists_keys(bool whole, struct str *out);

#endif
