/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_TARGET_H
#define BERTH_RELAY_TARGET_H

/* target: the host that a URL leads to, and what a redirect may do (doc/WEBHOOKS.md, "Where requests may go"). */

#include <stdbool.h>
#include "base/str.h"
#include "os/dir.h"

#define TARGET_HOST_MAX 255

struct target {
	bool tls;
	unsigned port;
	char host[TARGET_HOST_MAX + 1];         /* without brackets, and without a dot at its end */
};

/* target_set - fill in a target; false if the scheme is neither http nor https, or the host is empty or too long */
bool target_set(struct target *t, const char *scheme, const char *host, unsigned port);

/*
 * target_follows - whether a redirect may lead to `to`; if not, adds one line to *why
 * first  what the operator wrote down
 * from   where the redirect comes from
 * hosts  what the operator lists beside it; NULL: none
 * named  gets whether `to` is one of these: then any address will do, else it has to be public
 */
bool target_follows(const struct target *first, const struct target *from, const struct target *to, const struct names *hosts, bool *named,
		    struct str *why);

/*
 * target_trusted - whether `to` may get what is secret and meant for `first`: the same host, scheme and port, or https in place of http
 * on both default ports
 */
bool target_trusted(const struct target *first, const struct target *to);

/*
 * target_public_header - whether a header "Name: value" goes to any host that is followed to: it says what the body is, or signs it, and
 *                        has no secret
 */
bool target_public_header(const char *header);

#endif
