/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_HOOK_STATE_H
#define BERTH_BASE_HOOK_STATE_H

/*
 * hook_state: how far the delivery to an endpoint has come, as the file berth/journal/readers/NAME says it (doc/WEBHOOKS.md).
 *
 * The relay writes it, by a rename; `berth hooks list` and /metrics read it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define HOOK_STATE_MAX 8192     /* bytes of the file; a longer one is none */
#define HOOK_WHY_MAX 256
#define HOOK_DONE "done"
#define HOOK_FAILED "failed"

struct hook_state {
	char next[32];                  /* the id of the last event that is settled for this endpoint: delivered, given up, or of no concern */
	uint64_t delivered, dead;       /* events since the file was made */
	uint64_t failed;                /* tries, since the file was made */
	uint64_t in_row;                /* tries that failed since the last that did not */
	int64_t delivered_at, failed_at;        /* seconds since the epoch; 0: never */
	int64_t next_try;               /* the same; 0: none is due */
	int status;                     /* of the last answer; 0: there was none */
	char why[HOOK_WHY_MAX];         /* why the last try failed, one line; "": it did not */
	char asked[40];                 /* the id of the last request of `berth hooks` that was dealt with; "": there was none */
	char outcome[16];               /* what came of it: HOOK_DONE; anything else: it failed. A test is done if the endpoint has accepted it */
	char said[HOOK_WHY_MAX];        /* the same in words, one line for the operator */
};

/* hook_state_add - add the state as one line of JSON; hook_state_parse - read it: 0, or -1 if it is none, and *out is empty */
void hook_state_add(struct str *out, const struct hook_state *s);
int hook_state_parse(struct hook_state *out, const char *text, size_t len);

#endif
