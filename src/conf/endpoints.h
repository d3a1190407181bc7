/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_ENDPOINTS_H
#define BERTH_CONF_ENDPOINTS_H

/* endpoints: the list "notifications" of a configuration. Private to src/conf; config.h declares what other folders need. */

#include <libconfig.h>
#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/text.h"

#define ENDPOINTS_KEY "notifications"

/* Limits of durations, in seconds. */
#define ENDPOINT_TIMEOUT_MAX 3600
#define ENDPOINT_BACKOFF_MAX (UINT64_C(24) * 3600)
#define ENDPOINT_BACKOFF_MAX_MAX (UINT64_C(7) * 24 * 3600)
#define ENDPOINT_GIVE_UP_MIN 60
#define ENDPOINT_GIVE_UP_MAX (UINT64_C(3660) * 24 * 3600)

/*
 * endpoints_read - read the list from the file; it replaces the one of a config.yml
 * Returns false, and does nothing, if name is another setting.
 */
bool endpoints_read(struct config *c, const char *name, const config_setting_t *s, struct faults *f);

/* endpoints_begin - forget all endpoints; where: what gives the list that follows */
void endpoints_begin(struct config *c, const char *where);

/* endpoints_add - an endpoint with the defaults, borrowed until the next one; NULL if there are too many */
struct config_endpoint *endpoints_add(struct config *c, const char *where);

/* endpoints_named - one of this name other than `but`; NULL if there is none */
const struct config_endpoint *endpoints_named(const struct config *c, const char *name, const struct config_endpoint *but);

void endpoints_release(struct config *c);

/* endpoints_check_files - the part of config_check_files */
int endpoints_check_files(const struct config *c, struct str *msg);

/* The lines of config_show and config_given. */
void endpoints_show(const struct config *c, struct str *out);
void endpoints_given(const struct config *c, struct str *out);

#endif
