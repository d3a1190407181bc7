/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_FALLBACK_H
#define BERTH_STORE_FALLBACK_H

/*
 * fallback: symbolic links from which nginx serves manifests while no worker lives (nginx/with-fallback.conf.in).
 *
 *   berth/index/_fallback/<name>/_/<tag or digest>:<kind>  ->  the directory of the blob
 *
 * nginx can tell that a file is there, and where a symbolic link leads, and no more. So whether a tag or a manifest is
 * there it sees by the link files themselves; which digest, and of which type, by these.
 *
 * A tag's link is gone, durably, before the tag changes, and comes back after the change is on disk: at no time, and
 * after no crash, does one lead elsewhere than the tag does. One that is missing is no harm: it is 503 then.
 * That holds while nobody but berth writes, so all of them go when an epoch begins (epoch.h), and are made again.
 *
 * Where berth/index/_fallback is not there, nothing is served and nothing is made: it is there while the configuration
 * says so and the registry is open to everybody.
 */

#include <stdbool.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/mediatype.h"
#include "base/ref.h"
#include "os/dir.h"
#include "store/store.h"

/* fallback_open - links may be made from now on; fallback_close - nothing is served any more, durably. Of a whole store. */
int fallback_open(const struct store_options *o, struct err *e);
int fallback_close(const struct store_options *o, struct err *e);

/* fallback_purge - remove what fallback_close has set aside */
void fallback_purge(struct store *st);

/*
 * fallback_add - make the link of a tag, or of a digest where ref is d's own text; not flushed
 * The caller holds the repository's lock if it is a tag, has found that it points to d, and that this is on disk. A failure
 * is a link that is missing, and logged.
 */
void fallback_add(struct store *st, const struct name *n, const char *ref, enum mediatype type, const struct digest *d);

/* fallback_type - of which type the link of a digest is; MEDIATYPE_OTHER where there is none */
enum mediatype fallback_type(struct store *st, const struct name *n, const struct digest *d);

/* fallback_agrees - whether no link of the tag leads elsewhere than to d, to which the tag points; under the repository's lock */
bool fallback_agrees(struct store *st, const struct name *n, const struct tag *t, const struct digest *d);

/*
 * fallback_forget_tag - the tag is going to change: its link goes, durably
 * was_set  the tag is there now; then the directory is flushed also where no link is found: who took it may be dead
 * fallback_forget - all links of a repository go, durably; trashed gets a path for store_purge
 */
int fallback_forget_tag(struct store *st, const struct name *n, const struct tag *t, bool was_set, struct err *e);
int fallback_forget(struct store *st, const struct name *n, struct names *trashed, struct err *e);

#endif
