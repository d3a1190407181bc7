/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_OPENMARK_H
#define BERTH_MASTER_OPENMARK_H

/*
 * openmark: a file beside the workers' socket, PATH.open, which says that this registry asks nobody for a login.
 *
 * While it is there nginx answers GET and HEAD of /v2/ itself, where the request has no credentials (nginx/berth-locations.conf.in).
 * So it must never be there while any worker that accepts requests may ask for a login: the master removes it before
 * anything else at its start and before it accepts a configuration with logins, and makes it only when all of its workers
 * have one without.
 */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

struct openmark {
	struct str path;        /* "": the socket has no path, and nginx asks a worker each time */
	bool there;
	bool failed;            /* it could not be made, and the log says so */
};

#define OPENMARK_INIT { .path = STR_INIT }

/* openmark_begin - find its path by the listening socket, and remove what a killed master left; 0 or -1 with *e */
int openmark_begin(struct openmark *m, int listen_fd, struct err *e);

/* openmark_drop - remove it; 0, or -1 with *e: then it is still there, and nothing that asks for a login may serve */
int openmark_drop(struct openmark *m, struct err *e);

/* openmark_tend - make it where `open`, remove it where not; a failure is logged, and the next call tries again */
void openmark_tend(struct openmark *m, bool open);
void openmark_release(struct openmark *m);

#endif
