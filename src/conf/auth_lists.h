/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_AUTH_LISTS_H
#define BERTH_CONF_AUTH_LISTS_H

/* auth_lists: the lists of the group "auth": groups and access; all other settings are in the table of keys. Private to src/conf. */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/fault.h"

/*
 * auth_lists_read - read "auth.groups" or "auth.access"
 * Returns false, and does nothing, if name is another setting.
 */
bool auth_lists_read(struct config_auth *a, const char *name, const config_setting_t *s, struct faults *f);

/* auth_lists_check - check, after all settings are read, that the groups in rules exist */
void auth_lists_check(const struct config_auth *a, struct faults *f);

void auth_lists_release(struct config_auth *a);

/* The lines of config_show, config_given and config_keys for these lists. */
void auth_lists_show(const struct config_auth *a, struct str *out);
void auth_lists_given(const struct config_auth *a, struct str *out);
void auth_lists_keys(bool whole, struct str *out);

#endif
