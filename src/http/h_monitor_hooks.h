/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_H_MONITOR_HOOKS_H
#define BERTH_HTTP_H_MONITOR_HOOKS_H

/* h_monitor_hooks: the deliveries of events to endpoints, as metrics. A part of h_monitor. */

#include "base/str.h"
#include "registry/registry.h"

/* monitor_hooks - add them; nothing without endpoints */
void monitor_hooks(struct str *out, struct registry *r);

#endif
