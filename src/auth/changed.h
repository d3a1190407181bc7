/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_CHANGED_H
#define BERTH_AUTH_CHANGED_H

/*
 * changed: files that may change at any time: reading one, and whether it is still the one that was read, by one stat(2).
 *
 * A file that changed a short while before it was read may change once more without getting another time: clocks of file
 * systems have steps, of 4 ms on most and of a second or two on some. Until then it counts as changed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/str.h"

struct changed {
	struct stat seen;       /* of what was read last; zeroed: nothing */
	bool settled;
};

/* changed_since - whether it may be another one than what was noted */
bool changed_since(const struct changed *c, const char *file);

/* changed_note - what fstat(2) says of what was read just now; zeroed where there was nothing to read */
void changed_note(struct changed *c, const struct stat *st);

/*
 * changed_read - a file whole, where it has no more than so many MiB
 * st   gets what fstat(2) says of it; zeroed where it could not be opened
 * msg  gets "FILE: cannot read: why", behind a newline where there is something in it
 *
 * Returns 0, or -1 with msg and errno.
 */
int changed_read(const char *file, unsigned mib, struct stat *st, struct str *text, struct str *msg);

#endif
