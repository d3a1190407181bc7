/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_LISTS_H
#define BERTH_CONF_LISTS_H

/* lists: what the settings that are lists of groups have in common: reading texts of the file, and showing them. Private to src/conf. */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/text.h"
#include "os/dir.h"

/* lists_text - a text; NULL, with a fault, if it is not one. Borrowed from the setting */
const char *lists_text(const config_setting_t *s, const char *label, struct faults *f);

/*
 * lists_texts - add the texts of a list, in [ ] or ( )
 * A text that ok() refuses is a fault: the list must hold `what`.
 */
void lists_texts(struct names *out, const config_setting_t *s, const char *label, bool (*ok)(const char *), const char *what, struct faults *f);

/* lists_unknown - a fault: the group has no such member; members: those that exist */
void lists_unknown(const config_setting_t *s, const char *label, const char *members, struct faults *f);

/*
 * lists_each - call read() for each group of a list of groups
 * A setting of another form is a fault.
 */
void lists_each(const config_setting_t *s, const char *label, void (*read)(void *arg, const config_setting_t *group, struct faults *f), void *arg,
		struct faults *f);

/* lists_show_text  - add a text in the form of libconfig; it has no control characters */
void lists_show_text(struct str *out, const char *text);

/* lists_show_texts - add "NAME = [ ... ]; " */
void lists_show_texts(struct str *out, const char *name, const struct names *texts);

#endif
