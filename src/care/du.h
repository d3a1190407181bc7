/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_DU_H
#define BERTH_CARE_DU_H

/*
 * du: how many bytes of content repositories have for themselves, and how many they share with others.
 *
 * A repository's content is what its layer links and its manifests' links lead to, each blob once; configs have layer
 * links. What is collected later on because no manifest names it counts until then.
 */

#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

struct du {
	uint64_t own, own_blobs;        /* bytes, and how many blobs: in no other repository */
	uint64_t shared, shared_blobs;  /* in another one, too */
};

/*
 * du_count - tell of each of these repositories, in the order given; names NULL: of all, in byte order
 * tell   called for each; returns 0 to go on, anything else to stop, and that is returned
 * total  of all that were told of; what several of them share is in it once
 *
 * NAME_UNKNOWN where one isn't there, before anything is told. Memory is about 130 bytes for each blob of the registry.
 */
int du_count(struct registry *r, const struct name *names, size_t count,
	   int (*tell)(void *arg, const struct name *n, const struct du *du, struct err *e), void *arg, struct du *total,
	   struct err *e);

#endif
