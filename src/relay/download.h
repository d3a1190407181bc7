/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_DOWNLOAD_H
#define BERTH_RELAY_DOWNLOAD_H

/*
 * download: a blob that comes from upstream into a file of berth/body/, hashed on the way.
 *
 * If it breaks off it goes on by Range, at the same URL or the next. Who reads from the file while it grows is not its concern. It never takes
 * the last free space of the file system: 5 % of it, or 1 GiB if that is less.
 */

#include "base/digest.h"
#include "relay/fetch.h"

#define DOWNLOAD_DIR "berth/body"
#define DOWNLOAD_PREFIX "relay-"

enum download_state { DOWNLOAD_RUNS, DOWNLOAD_WHOLE, DOWNLOAD_FAILED };

struct download {                       /* others only read it */
	enum download_state state;
	int fd;
	struct str path;                /* within the store; "": the name is removed */
	bool size_known;
	uint64_t size, have;            /* bytes: of the blob; in the file */
	enum upstream_kind kind;        /* why it failed; UPSTREAM_MISSING: upstream does not have it */
	bool ours;                      /* it failed here: no space, too many bytes, another digest */
	bool full;                      /* it is for want of space */
	struct str why;

	struct fetch_env *env;
	struct fetch_ask a;
	struct digest digest;
	struct digester *hash;
	struct upstream_ask *ask;
	struct event *again;            /* libevent's */
	struct str tail;
	uint64_t skip;                  /* bytes that come once more */
	uint64_t limit;                 /* never more bytes than this */
	uint64_t before;                /* bytes when tries were last earned */
	uint64_t looked;                /* bytes when the free space was looked at */
	unsigned tries, all_tries;
	void (*changed)(void *arg);
	void *arg;
};

/*
 * download_begin - begin; `changed` is called whenever there are more bytes or another state, also from within libcurl's callbacks: so it only
 *                  notes that
 * a  its texts are borrowed until download_end()
 * Returns 0, or -1 with one line in d->why: there can be no file. download_end() in any case.
 */
int download_begin(struct download *d, struct fetch_env *env, const struct fetch_ask *a, const struct digest *digest, void (*changed)(void *arg),
		   void *arg);
void download_end(struct download *d);          /* stop, and remove the file */
void download_unname(struct download *d);       /* remove the name: the descriptor stays */

/* download_clean - remove what relays that were killed have left: files that nobody has locked */
void download_clean(int dirfd);

#endif
