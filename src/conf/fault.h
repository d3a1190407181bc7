/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_FAULT_H
#define BERTH_CONF_FAULT_H

/* fault: collecting all faults of a configuration file, one line each. Private to src/conf. */

#include "base/str.h"

struct faults {
	const char *file;
	struct str *msg;
	int rc;                 /* 0, or -1 after the first fault */
};

/* fault - begin a line of the message with "FILE:LINE: ", and return the buffer for the rest of the line */
struct str *fault(struct faults *f, unsigned line);

#endif
