/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_RELAY_H
#define BERTH_RELAY_RELAY_H

/* relay: the program that speaks to the outside, as one event loop (doc/WEBHOOKS.md, "The relay"). */

#include "conf/config.h"

struct relay_options {
	const char *config_file;        /* NULL: the default one, if it is there */
	const char *root;               /* NULL: the configuration's */
	const char *workers;            /* the workers' socket for the relay */
	const char *listen;             /* the relay's socket for nginx, made where there are upstreams */
};

/* relay_config - read the configuration as the relay does; an owned struct, or NULL with one line for each fault in *why */
struct config *relay_config(const struct relay_options *o, struct str *why);

/*
 * relay_hold_signals - block SIGHUP until relay_run() handles it; main calls it first
 * relay_run          - deliver until SIGTERM or SIGINT; SIGHUP reads the configuration again
 * cfg                owned by relay_run() from now on
 * Returns 0, or -1 with one line for the operator in *why. What is under way when it ends will be delivered again by the next relay.
 */
void relay_hold_signals(void);
int relay_run(const struct relay_options *o, struct config *cfg, struct str *why);

#endif
