/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_FAULT_H
#define BERTH_CONF_FAULT_H

/* fault: what is wrong with a file, one line each, all of them and not the first alone. Private to src/conf. */

#include "base/str.h"

struct faults {
	const char *file;
	struct str *msg;
	int rc;                 /* 0, or -1 once there is one */
};

/* fault - begin a line of the message: "FILE:LINE: ", and return the buffer for the rest of it */
struct str *fault(struct faults *f, unsigned line);

#endif
