/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_KEPT_H
#define BERTH_RELAY_KEPT_H

/* kept: the last good answers to questions for lists, in a bounded amount of memory: those that were given the longest ago go. */

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct kept;

struct kept_answer {                    /* borrowed until the next kept_put() */
	const char *headers;            /* lines, each with "\r\n" */
	const char *body;
	size_t len;
	uint64_t age;                   /* seconds */
};

struct kept *kept_open(void);
void kept_close(struct kept **k);

/* kept_put - in place of what there is under this key; copied. Nothing if it is too large */
void kept_put(struct kept *k, const char *key, const struct str *headers, const char *body, size_t len);

/* kept_get - false: there is none, or it is older than max_age seconds */
bool kept_get(const struct kept *k, const char *key, uint64_t max_age, struct kept_answer *out);

#endif
