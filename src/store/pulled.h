/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_PULLED_H
#define BERTH_STORE_PULLED_H

/*
 * pulled: when a tag or a manifest was last pulled (doc/RULES.md, "How it works").
 *
 *   berth/pulled/<name>/_tags/<tag>            an empty file: its modification time is the last pull, to the hour
 *   berth/pulled/<name>/_digests/<alg>/<hex>   the same for a manifest
 *   berth/pulled/_since                        an empty file: pulls before its modification time may not have been noted
 *
 * No lock and no flush: a power cut may take what was noted within the last minutes. Another kind of file in such a place
 * counts as missing.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

#define PULLED_HOUR 3600        /* seconds: a pull is noted once in each */

/*
 * pulled_note - a manifest was pulled now, by a tag or (t is NULL) by its digest
 * A pull of a tag is told to the summary of the repository as well, if there is one (store/summary_note.h).
 * What this process has noted within the hour costs no system call; what another one has, one each. A failure is ignored: the next pull
 * tries again.
 */
void pulled_note(struct store *st, const struct name *n, const struct tag *t, const struct digest *d);

/* The time that was noted, in seconds since the epoch: 1, 0 never, -1 with *e. A pull within the same hour as that one may have come later. */
int pulled_tag(struct store *st, const struct name *n, const struct tag *t, int64_t *when, struct err *e);
int pulled_digest(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct err *e);

/*
 * pulled_since - since when pulls are noted, in seconds since the epoch; without the file: `now`; `make`: and then it is made. 0, or -1 with *e. That
 *                it can't be made is no error: it is missing the next time, too
 * pulled_pause - no pull will be noted for a while: the file is removed. Whoever notes again makes it again. A failure is ignored: the file
 *                system may be read-only
 */
int pulled_since(struct store *st, bool make, int64_t now, int64_t *since, struct err *e);
void pulled_pause(struct store *st);

/*
 * pulled_tidy - remove what is noted of tags, manifests and repositories that do not exist any more
 * Nothing that was noted within the last two hours is removed: a process may rely on having noted it. `now`: seconds, by the clock of the
 * file system. The locks of repositories are acquired, one after the other. Returns 0, or -1 with *e.
 */
int pulled_tidy(struct store *st, int64_t now, struct err *e);

/*
 * pulled_copy - note all of `from` for `to` as well, before the repository gets that name; 0, or -1 with *e
 * The notes of `from` stay: pulled_tidy() removes them.
 */
int pulled_copy(struct store *st, const struct name *from, const struct name *to, struct err *e);

#endif
