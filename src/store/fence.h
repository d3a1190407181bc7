/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_FENCE_H
#define BERTH_STORE_FENCE_H

/*
 * fence: who has lost a lock changes nothing any more (doc/MACHINES.md, "Locks that are lost").
 *
 * Where several machines share a store, a file system may give the lock of a machine that has fallen silent to another one, and nothing
 * tells the first one when it comes back. So each step that takes something away or replaces it is one rename from, or to, a directory
 * that belongs to this one holding of the lock, its step directory. Whoever has the lock next removes that directory before anything
 * else. A rename that comes late, even one that was already on its way to the server, finds no such directory, and fails.
 *
 * On a file system that belongs to this machine the kernel holds a lock as long as its holder lives: nothing of this happens there.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/store.h"

#define FENCE_BOUND 20          /* seconds for which a writer believes that it has the collector's lock: less than any file system waits */

/*
 * fence_repository - call it when `fd` has acquired the lock of this repository, which is that of a stripe: removes the step directories of
 *                    those who had it before
 * 1, 0 another process has the lock by now, -1 with *e. Without space there is no step directory, and steps are as on a local file system.
 */
int fence_repository(struct store *st, const struct name *n, unsigned stripe, int fd, struct err *e);

/*
 * fence_tmp     - as store_tmp(), for what a rename will bring to its place under the lock of this repository
 * fence_mkdirs  - make such a path, which `from` names, and what is below it of `path`; 0 or -1 with errno. os_mkdirs() would make the step
 *                 directory again
 * fence_trash   - as store_trash(), under the lock of a repository or in a batch of the collector; 503 if the lock has been lost
 * fence_discard - as store_discard(), in a batch of the collector
 * fence_replace - as store_replace(), of a file of an index of this repository; fence_unlink - remove such a file
 * fence_holds   - whether the lock of this index's repository is still held, before something is written that no rename puts into place
 * fence_errno   - call it before err_sys(), at a failure of what fence_tmp() has named: if the lock has been lost, ENOENT becomes ESTALE (503)
 */
void fence_tmp(struct store *st, const struct name *n, struct str *path);
int fence_mkdirs(struct store *st, const char *from, const char *path);
int fence_trash(struct store *st, const char *path, struct str *out, struct err *e);
int fence_discard(struct store *st, const char *path, struct str *out, struct err *e);
int fence_replace(struct store *st, const char *path, const void *buf, size_t len, bool flush);
int fence_unlink(struct store *st, const char *path);
bool fence_holds(struct store *st, const char *path);
void fence_errno(struct store *st);

/*
 * The collector's lock. What a batch removes goes to berth/gc/out/RUN, which is there only while the collector has the lock.
 *
 * fence_entered     - call it when that lock has been acquired, by anybody: removes what a batch has left whose collector has lost the lock
 *                     or was killed. since: CLOCK_BOOTTIME in microseconds, when the lock was certainly held
 * fence_sure        - whether a writer still has that lock: what it has found and noted until now no collector removes. 0, or -1 with *e
 * fence_begin_batch - make the directory; the lock is certainly held when this returns. 0, or -1 with *e
 * fence_end_batch   - before the lock is released: move what the batch removed to berth/trash/, where its paths say that it is
 */
int fence_entered(struct store *st, uint64_t since, struct err *e);
int fence_sure(const struct store *st, struct err *e);
int fence_begin_batch(struct store *st, const char *run, struct err *e);
void fence_end_batch(struct store *st);

#endif
