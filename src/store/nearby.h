/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_NEARBY_H
#define BERTH_STORE_NEARBY_H

/*
 * nearby: the directories of repositories that a worker used lately, kept open, and small manifests, kept in memory (doc/STORE.md,
 * "Several machines").
 *
 * On the file system of several machines each component of a path is a question to a server. A look, which is all that one request asks of one
 * repository, begins at what is kept. Then it finds out whether anything has been moved since that was opened (store/moves.h): if so, or
 * if nothing was found, the same is asked once more, by whole names, and that answer counts. So no answer rests on what is kept alone.
 *
 *	nearby_begin(&look, st, n, NEARBY_TAGS | NEARBY_REVISIONS, NULL);
 *	do
 *		found = ...;                    each time anew
 *	while (nearby_again(&look, found == 1));
 *
 * Only for looks that change nothing. Elsewhere than on such a file system, and where nearby_start() was not called, a look is by whole names.
 */

#include <stdbool.h>
#include "base/digest.h"
#include "base/ref.h"
#include "base/str.h"
#include "os/near.h"
#include "store/store.h"

enum nearby_part {
	NEARBY_TAGS = 1,
	NEARBY_REVISIONS = 2,   /* of sha256, as the next one */
	NEARBY_LAYERS = 4,
};

struct nearby_look {
	struct store *st;
	struct nearby *from;            /* NULL: by whole names */
	size_t place;
	bool recalled;                  /* bytes from memory were used */
	bool again;                     /* the second time: by whole names */
	bool missed;                    /* the first time nothing was found */
	struct near_dir lent[NEAR_LENT];
};

/* nearby_start - keep things from now on, for as long as st is open; nearby_stop - before it is closed */
void nearby_start(struct store *st);
void nearby_stop(struct store *st);

/*
 * nearby_begin - begin to look at a repository; no other look goes on
 * parts    those of enum nearby_part that will be looked up in
 * content  the content that will be looked for; NULL: not known yet
 */
void nearby_begin(struct nearby_look *l, struct store *st, const struct name *n, unsigned parts, const struct digest *content);

/* nearby_again - whether the same has to be asked again; found: what was looked for was there */
bool nearby_again(struct nearby_look *l, bool found);

/*
 * nearby_recall   - within a look, of content that the repository was just found to have a link to: append its bytes, if they are in
 *                   memory; true if so
 * nearby_remember - bytes of content that was read because such a look has found it
 */
bool nearby_recall(struct nearby_look *l, const struct digest *content, struct str *out);
void nearby_remember(struct store *st, const struct digest *content, const char *bytes, size_t len);

#endif
