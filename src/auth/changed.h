/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_CHANGED_H
#define BERTH_AUTH_CHANGED_H

/*
 * changed: whether a file is still the one that was read, by one stat(2).
 *
 * A file that changed a short while before it was read may change once more without getting another time: clocks of file
 * systems have steps, of 4 ms on most and of a second or two on some. Until then it counts as changed.
 */

#include <stdbool.h>
#include <sys/stat.h>

struct changed {
	struct stat seen;       /* of what was read last; zeroed: nothing */
	bool settled;
};

/* changed_since - whether it may be another one than what was noted */
bool changed_since(const struct changed *c, const char *file);

/* changed_note - what fstat(2) says of what was read just now; zeroed where there was nothing to read */
void changed_note(struct changed *c, const struct stat *st);

#endif
