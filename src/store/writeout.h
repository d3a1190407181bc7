/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_WRITEOUT_H
#define BERTH_STORE_WRITEOUT_H

/*
 * writeout: has the disk write a large body while the web server still receives it.
 *
 * The web server spools a body below berth/body/, and the kernel keeps it in memory for half a minute. Without this the disk would
 * begin when a worker hashes the whole body, and the client would wait for what is left. This is about speed only: nobody relies on
 * it, and what is flushed before an answer is flushed by the worker (doc/STORE.md, "Large bodies").
 */

#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

#define WRITEOUT_PIECE (UINT64_C(8) << 20)      /* bytes: less than that is left to the worker */

/*
 * writeout_run - watch berth/body/ until the process is ended
 *
 * Call it in a process of its own: it changes the working directory, and it waits where the disk cannot take more. It sleeps
 * until a body grows, and then for a tenth of a second each time. Returns -1 with UNKNOWN where the directory cannot be watched (any
 * more).
 */
int writeout_run(struct store *st, struct err *e);

/*
 * writeout_file - have the disk begin with all whole pieces of berth/body/<name>; does not wait until they are written
 * Returns how many bytes these are; 0 also if it is not a regular file, or gone.
 */
uint64_t writeout_file(const struct store *st, const char *name);

#endif
