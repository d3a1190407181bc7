/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_LINK_H
#define BERTH_RELAY_LINK_H

/*
 * link: queries of lists, and links to their next pages (RFC 8288).
 *
 * A parameter is passed on, in either direction, if its name has letters, digits and ._- alone and its value no control byte; it is encoded
 * anew. `ns` is ours and never goes upstream; `n` has to be a number.
 */

#include "base/str.h"

struct link_own {                       /* a client's request */
	struct str path;                /* as it becomes part of a header */
	struct str space;               /* the value of ns, encoded; "": none */
	struct str query;               /* what goes upstream, without "?"; "": nothing */
};

#define LINK_OWN_INIT { .path = STR_INIT, .space = STR_INIT, .query = STR_INIT }

/* link_own_set - read it, into an empty one; query: raw */
void link_own_set(struct link_own *own, const char *path, const char *query);
void link_own_release(struct link_own *own);

/*
 * link_add - add a header Link that leads to the next page here
 * theirs  the value of upstream's, of any form; NULL: none
 * Nothing is added if theirs has no parameters, or those of this request: a client would ask for ever.
 */
void link_add(const struct link_own *own, const char *theirs, struct str *headers);

#endif
