/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_READY_H
#define BERTH_REGISTRY_READY_H

/* ready: whether the registry can do its work, for who watches over it. */

#include <stdbool.h>
#include "base/str.h"
#include "registry/registry.h"

#define READY_KEPT 1000         /* milliseconds that what was found is told again, however often it is asked */
#define READY_PATIENCE 5000     /* and a look that has not come back after these says that the store does not answer */

/*
 * ready_check - whether the store can be written (with readonly = true: read), and somebody takes uploads
 * reason  gets why not, in one line that names no path
 *
 * One process of a master looks, once in READY_KEPT; the others tell what it has found.
 */
bool ready_check(struct registry *r, struct str *reason);

#endif
