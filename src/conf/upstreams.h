/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_UPSTREAMS_H
#define BERTH_CONF_UPSTREAMS_H

/*
 * upstreams: the lists "upstreams" and "own" of a configuration (doc/CACHE.md, "Set up"). Private to src/conf; upstream.h declares what other
 * folders need.
 */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/text.h"

#define UPSTREAMS_KEY "upstreams"
#define UPSTREAMS_OWN_KEY "own"

#define UPSTREAM_TIME_MAX (UINT64_C(3660) * 24 * 3600)  /* seconds, of fresh and stale */
#define UPSTREAM_MISSING_MAX (UINT64_C(24) * 3600)

/*
 * upstreams_read - read one of the two lists from the file; "upstreams" replaces the one of a config.yml
 * Returns false, and does nothing, if name is another setting.
 */
bool upstreams_read(struct config *c, const char *name, const config_setting_t *s, struct faults *f);

/* upstreams_begin - forget all upstreams; where: what gives the list that follows */
void upstreams_begin(struct config *c, const char *where);

/* upstreams_add - an upstream with the defaults, and without name and URL, borrowed until the next one; NULL if there are too many */
struct config_upstream *upstreams_add(struct config *c, const char *where);

/* upstreams_known_realm - add the realm that is known of Docker Hub, if this is it and none was given */
void upstreams_known_realm(struct config_upstream *u);

/* upstreams_check - a fault for each host or name that two lists have, after the whole file has been read */
void upstreams_check(const struct config *c, struct str *msg, int *rc);

void upstreams_release(struct config *c);

/* upstreams_check_files - the part of config_check_files */
int upstreams_check_files(const struct config *c, struct str *msg);

/* The lines of config_show and config_given. */
void upstreams_show(const struct config *c, struct str *out);
void upstreams_show_own(const struct config *c, struct str *out);
void upstreams_given(const struct config *c, struct str *out);

#endif
