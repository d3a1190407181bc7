/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_AUTH_CONF_H
#define BERTH_CONF_AUTH_CONF_H

/* auth_conf: the lists of the group "auth": groups and access. Its single settings are in the table of keys. Private to src/conf. */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/fault.h"

/*
 * auth_conf_read - read a setting if it is one of the lists
 * name  "auth.groups" or "auth.access"; for any other false is returned, and nothing done
 */
bool auth_conf_read(struct config_auth *a, const char *name, const config_setting_t *s, struct faults *f);

/*
 * auth_conf_check - what can be seen only when all is read: groups that do not exist, an auth that lets nobody in
 * warn  gets a line for what is allowed and surprises; may be NULL
 */
int auth_conf_check(const struct config *c, struct str *warn, struct str *msg);

/* auth_conf_names_everybody - whether a rule names "@anonymous" */
bool auth_conf_names_everybody(const struct config_auth *a);

void auth_conf_release(struct config_auth *a);

/* As config_show, config_given and config_keys: what they say of these lists. */
void auth_conf_show(const struct config_auth *a, struct str *out);
void auth_conf_given(const struct config_auth *a, struct str *out);
void auth_conf_keys(bool whole, struct str *out);

#endif
