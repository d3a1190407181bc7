/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_READY_H
#define BERTH_REGISTRY_READY_H

/* ready: the readiness check: whether the registry can serve requests (doc/METRICS.md). */

#include <stdbool.h>
#include "base/str.h"
#include "registry/registry.h"

#define READY_KEPT 1000         /* milliseconds for which the result of a probe is reused */
#define READY_PATIENCE 5000     /* milliseconds after which a probe that has not returned means: the store does not answer */

/*
 * ready_check - whether the store can be written (with readonly = true: read), and workers accept writes and uploads
 * reason  set to one line without a path that says why not; empty if ready
 *
 * It is not ready either while something that a request has met cannot be used (registry/denied.h).
 * Among the workers of a master at most one probes the store in READY_KEPT; the others report its result.
 */
bool ready_check(struct registry *r, struct str *reason);

#endif
