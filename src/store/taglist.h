/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_TAGLIST_H
#define BERTH_STORE_TAGLIST_H

/*
 * taglist: all tags of a repository in one file, berth/index/<name>/_list, which is believed without a look at any link
 * (doc/STORE.md, "Indexes and epochs").
 *
 * It is right because it is not there while it could be wrong. Whoever adds or removes a tag removes the list first, under the
 * repository's lock; and it is written under that lock, from links that were looked at meanwhile. So it needs no flush: it
 * counts in its epoch only, and a power cut ends that. A list of a directory that somebody else has changed does not count either,
 * nor does one whose checksum is wrong.
 *
 * A process remembers lists that it has read, and then looks only whether the file is still the same one.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/store.h"

#define TAGLIST_TAGS 512        /* a list of more tags is not kept */

/* What the directory of the tags was like: its number and its times. */
struct taglist_stamp {
	char text[3 * 17 + 1];
	bool settled;           /* not changed within the last clock tick, so that another change will show */
};

/* taglist_look - the stamp of now: 1, 0 if there is no directory of tags, -1 with *e */
int taglist_look(struct store *st, const struct name *n, struct taglist_stamp *now, struct err *e);

/*
 * taglist_read - the list, if there is one that counts
 * lines  set to the tags in byte order, each with a newline; borrowed until the next call of this process
 */
bool taglist_read(struct store *st, const struct name *n, const struct taglist_stamp *now, const char **lines, size_t *len);

/*
 * taglist_keep - write the list of all tags; the caller has held the repository's lock since before it looked at the first of
 *                them, and the stamp is older than that
 * lines  as taglist_read gives them; longer ones than TAGLIST_TAGS tags can be are not kept
 * A failure is none for the caller: the next reader tries again.
 */
void taglist_keep(struct store *st, const struct name *n, const struct taglist_stamp *then, const struct str *lines);

/* taglist_drop - a tag is about to appear or to vanish, and the caller holds the repository's lock; 0, or -1 with *e */
int taglist_drop(struct store *st, const struct name *n, struct err *e);

#endif
