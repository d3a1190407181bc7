/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_READERS_H
#define BERTH_RELAY_READERS_H

/*
 * readers: the files of endpoints below berth/journal/readers/ (doc/WEBHOOKS.md, "Files").
 *
 * NAME has the state, NAME.ask a request of `berth hooks`, NAME.dead and NAME.dead~ have dead letters. Only the holder of `lock` writes, but for
 * NAME.ask. Functions return -1 with errno on errors.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/hook_state.h"
#include "conf/endpoint.h"

#define READERS_JOURNAL "berth/journal"
#define READERS_DIR "berth/journal/readers"
#define READERS_LOCK "berth/journal/readers/lock"
#define READERS_DEAD_MAX (4 * 1024 * 1024)      /* bytes of NAME.dead: then it becomes NAME.dead~, in place of an earlier one */
#define READERS_GRACE (30 * 24 * 3600)          /* seconds for which the files of an endpoint stay that is not configured any more */

/*
 * readers_load - read a state: 1; 0 if there is none; -1
 * EUCLEAN: what lies there is no state, and *out is empty.
 */
int readers_load(int dirfd, const char *name, struct hook_state *out);

/* readers_save - write a state, whole; `first`: there was none, and it is durable when this returns */
int readers_save(int dirfd, const char *name, const struct hook_state *s, bool first);

enum readers_what { READERS_TEST, READERS_REPLAY, READERS_DROP, READERS_OTHER };

struct readers_ask {
	char id[40];
	enum readers_what what;
	char from[32];          /* "": none */
};

/* readers_ask - read the request: 1; 0 if there is none, or it is not whole yet; -1 */
int readers_ask(int dirfd, const char *name, struct readers_ask *out);

/* readers_asked - remove it */
void readers_asked(int dirfd, const char *name);

/*
 * readers_bury   - add a line to the dead letters; it has its newline
 * readers_buried - write out what was added: before a state is saved that counts on it
 */
int readers_bury(int dirfd, const char *name, const struct str *line);
int readers_buried(int dirfd, const char *name);

/*
 * readers_tend - remove what others have left behind: temporary files, and the files of endpoints that left the configuration READERS_GRACE ago
 * The files of those that are configured are touched, so that their time is when they were last seen to be.
 */
int readers_tend(int dirfd, const struct config_endpoint *endpoints, size_t count);

#endif
