/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_AUTH_CONF_H
#define BERTH_CONF_AUTH_CONF_H

/*
 * auth_conf: the group "auth" as a whole, and its lists: groups and access (auth_lists.c). Its other settings are in the
 * table of keys, and config.h declares the predicates for other folders. Private to src/conf.
 */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/text.h"

/*
 * auth_conf_check - check the group after all settings are read: unknown groups in rules, no way to log in, and so on
 * warn  gets a line for a valid but surprising configuration; may be NULL
 * Returns 0, or -1 with a line for each fault in msg.
 */
int auth_conf_check(const struct config *c, struct str *warn, struct str *msg);

void auth_conf_release(struct config_auth *a);

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
