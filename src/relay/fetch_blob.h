/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FETCH_BLOB_H
#define BERTH_RELAY_FETCH_BLOB_H

/*
 * fetch_blob: blobs that are not here (doc/CACHE.md, "How it works").
 *
 * A blob is downloaded once for all who ask for it, into a file, and everybody is fed from that file while it grows. The last 64 KiB of an answer are
 * held back until the digest is right, of a shorter one everything: so nobody is told that wrong bytes are whole. If the download fails, the
 * answers that have begun are cut short. Then the file is handed to a worker, unless the blob is not to be kept.
 */

#include "base/digest.h"
#include "relay/fetch.h"

struct blobs;

#define BLOB_HELD 65536         /* bytes */

/* blobs_open - removes what killed relays have left, too */
struct blobs *blobs_open(struct fetch_env *env);
void blobs_close(struct blobs **b);     /* after the server: replies that wait are gone */

/*
 * blobs_get - answer with a blob, or a range of it, or to a HEAD with its size
 * keep  a manifest that is here names it
 */
void blobs_get(struct blobs *b, const struct fetch_ask *a, const struct digest *digest, bool keep, const char *range, struct reply *r);

/*
 * blobs_fetch - fetch one that nobody has asked for and that a manifest here names, or wait for the download that is under way; `done` is
 *               called once, from within this call too, when it was handed over or has failed; not after blobs_close()
 */
typedef void blobs_done(void *arg);
void blobs_fetch(struct blobs *b, const struct fetch_ask *a, const struct digest *digest, blobs_done *done, void *arg);

/*
 * blobs_warm - download a blob for nobody but the store: the answer to a GET says how far it is, and what came of it (doc/CACHE.md, "How it works")
 * A manifest that is here names it. The download goes on when the connection has ended.
 */
void blobs_warm(struct blobs *b, const struct fetch_ask *a, const struct digest *digest, struct reply *r);

/* blobs_running - downloads under way */
size_t blobs_running(const struct blobs *b);

#endif
