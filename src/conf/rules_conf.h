/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_RULES_CONF_H
#define BERTH_CONF_RULES_CONF_H

/* rules_conf: the list "rules" of a configuration: reading it and showing it. Private to src/conf; rules.h is for other folders. */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/rules.h"
#include "conf/text.h"

#define RULES_KEY "rules"
#define RULES_NEWEST_MAX 100000000u
#define RULES_TAGS_MAX 100000000u
#define RULES_PULLED_MIN 3600           /* seconds: the last pull is known to the hour */

/* The names of the conditions in the file. */
extern const char *const rules_conditions[KEEP_CONDITIONS];

/*
 * rules_read - read the list
 * Returns false, and does nothing, if name is another setting.
 */
bool rules_read(struct config *c, const char *name, const config_setting_t *s, struct faults *f);

void rules_release(struct config *c);

/* rules_group_pattern - the pattern that a leading part of a name has to match to be a group; head has NAME_MAX_LEN + 1 bytes */
void rules_group_pattern(const struct rule *r, char *head);

/* The lines of config_show, config_given and config_keys for this list. */
void rules_show(const struct config *c, struct str *out);
void rules_given(const struct config *c, struct str *out);
void rules_keys(bool whole, struct str *out);

#endif
