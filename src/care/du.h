/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_DU_H
#define BERTH_CARE_DU_H

/*
 * du: the bytes of content that belong to one repository alone, and those that it shares with others.
 *
 * The content of a repository is what its layer links (configs included) and its manifest links point to, each blob once. Garbage
 * counts until it is collected.
 */

#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

struct du {
	uint64_t own, own_blobs;        /* bytes and number of blobs that are in no other repository */
	uint64_t shared, shared_blobs;  /* of those that are */
};

/*
 * du_count - measure these repositories, in the order given; names NULL: all repositories, in byte order
 * tell   called for each; returns 0 to go on; any other value ends the walk and is returned
 * total  the sum of all; content that several of them share is counted once
 *
 * NAME_UNKNOWN, before the first call of tell, if one of them does not exist. Needs about 130 bytes of memory for each blob of the
 * registry.
 */
int du_count(struct registry *r, const struct name *names, size_t count,
	   int (*tell)(void *arg, const struct name *n, const struct du *du, struct err *e), void *arg, struct du *total,
	   struct err *e);

#endif
