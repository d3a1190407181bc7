/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_LISTS_H
#define BERTH_CONF_LISTS_H

/* lists: what the settings that are lists of groups have in common: reading texts of the file, and showing them. Private to src/conf. */

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

/* A member of the groups of a list. */
enum list_kind { LIST_TEXT, LIST_TEXTS, LIST_DURATION, LIST_BOOL, LIST_OTHER };

struct list_member {
	const char *name;
	enum list_kind kind;
	size_t off;                     /* in the struct of the group: char *, struct names, uint64_t seconds, bool */
	bool (*ok)(const char *);       /* of texts */
	uint64_t min, max;              /* of durations */
	const char *wants;              /* the end of "must be ..." or, of lists, of "must hold ..." */
	void (*read)(void *group, const config_setting_t *s, struct faults *f); /* of LIST_OTHER */
};

/*
 * lists_member - read one member of a group into its struct
 * list   the name of the list, for faults: one is what no member of the table is called
 */
void lists_member(void *group, const struct list_member *members, size_t count, const char *list, const config_setting_t *s, struct faults *f);

/*
 * What texts may be:
 * lists_path_ok    - an absolute path without control characters
 * lists_file_ok    - the same, or empty
 * lists_pattern_ok - a pattern of names of repositories
 * lists_host_ok    - the name of a host in small letters, perhaps with a port
 */
bool lists_path_ok(const char *s);
bool lists_file_ok(const char *s);
bool lists_pattern_ok(const char *s);
bool lists_host_ok(const char *s);

/*
 * lists_check_file - whether this process can read the file that a member names; NULL and "": there is none
 * where  the place of the group; label: "LIST.MEMBER". Returns 0, or -1 with a line in msg.
 */
int lists_check_file(const char *where, const char *label, const char *file, struct str *msg);

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
