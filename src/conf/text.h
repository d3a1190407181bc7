/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_TEXT_H
#define BERTH_CONF_TEXT_H

/* text: a configuration file as text: reading it, checking it before libconfig does, and reporting its faults. Private to src/conf. */

#include <stdbool.h>
#include "base/str.h"

#define TEXT_MAX (1024 * 1024)

/*
 * text_read - read a whole file
 * optional  a missing file is no failure: the text is then empty
 * why       on failure gets the reason, such as "cannot read: Permission denied"
 *
 * Returns 1; 0 if the file is optional and missing; or -1 with why.
 */
int text_read(const char *file, bool optional, struct str *text, struct str *why);

/*
 * text_check - look for what libconfig 1.5 would misread silently
 *
 * That is a NUL byte (it stops there), a number too big for its type (it wraps), and @include (of a directory, it ends the
 * process). Returns 0, or -1 with the line (from 1) and why (static).
 */
int text_check(const struct str *text, unsigned *line, const char **why);

/* All faults of a file, one line each. */
struct faults {
	const char *file;
	struct str *msg;
	int rc;                 /* 0, or -1 after the first fault */
};

/* fault - begin a line of the message with "FILE:LINE: ", and return the buffer for the rest of the line */
struct str *fault(struct faults *f, unsigned line);

#endif
