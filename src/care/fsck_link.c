/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_link: links of layers and manifests.
 *
 * Invariant: a link that holds a digest of another algorithm is never changed. A link without a digest, or with another one of the
 * same algorithm, gets the digest of its directory if content of that digest exists and its bytes are right; else a link without a
 * digest is removed. A directory without a link is what registry:2 leaves after a delete: it is removed, since a link there
 * would bring back what a client deleted.
 */
#include "care/fsck_link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "os/file.h"
#include "store/alone.h"
#include "store/blob.h"
#include "store/collector.h"
#include "store/index.h"
#include "store/link.h"
#include "store/quota.h"
#include "store/store_path.h"

int fsck_link_state(struct fsck_work *w, const char *dir, enum fsck_link_state *state, struct digest *target,
		    struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	char text[DIGEST_TEXT_MAX];
	ssize_t n;

	*state = FLINK_GONE;
	*target = (struct digest){ 0 };
	path_in(&path, dir, STORE_LINK);
	n = os_read_file(w->r->st->dirfd, path.buf, text, sizeof(text));
	if (n < 0) {
		bool gone = os_gone(errno);
		mode_t type;

		err_sys(e, "cannot read %s", path.buf);
		type = fsck_type(w, path.buf);
		if (!gone && (!type || type == S_IFREG))
			return -1;
		err_release(e);
		fd = os_open(w->r->st->dirfd, dir, O_PATH | O_DIRECTORY, 0);
		*state = type && type != S_IFREG ? FLINK_GARBAGE : fd < 0 ? FLINK_GONE : FLINK_NONE;
		return 0;
	}
	if (n == 0)
		*state = FLINK_EMPTY;
	else
		*state = n > 0 && (size_t)n <= sizeof(text) && digest_parse(target, text, (size_t)n) == 0 ? FLINK_GOOD :
													    FLINK_GARBAGE;
	return 0;
}

/* Write dir/link anew, durably, and note it for a running collection; with the locks held. */
static int write_link(struct fsck_work *w, const struct name *n, const char *dir, const struct digest *d, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_in(&path, dir, STORE_LINK);
	if (fsck_clear(w, path.buf, e) < 0 || collector_note(w->r->st, n, d, 1, e) < 0 || link_ensure(w->r->st, dir, d, e) < 0)
		return -1;
	return store_flush_above(w->r->st, dir, 2) < 0 ? err_sys(e, "cannot flush the directories of %s", dir) : 0;
}

static int each_of_alg(struct fsck_work *w, const char *dir, enum digest_alg alg, fsck_link_visit *visit, void *arg,
		       struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str text = STR_INIT, path = STR_INIT;
	size_t i;

	fsck_list(w, dir, &names);
	for (i = 0; i < names.count; i++) {
		struct digest d;

		str_reset(&text);
		str_addf(&text, "%s:%s", digest_alg_name(alg), names.v[i]);
		str_reset(&path);
		str_addf(&path, "%s/%s", dir, names.v[i]);
		if (digest_parse(&d, text.buf, text.len) < 0)
			fsck_stray(w, dir, names.v[i]);
		else if (visit(arg, &d, path.buf, e) < 0)
			return -1;
	}
	return 0;
}

int fsck_link_dirs(struct fsck_work *w, const char *above, fsck_link_visit *visit, void *arg, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;
	size_t i;
	int alg;

	fsck_list(w, above, &names);
	for (i = 0; i < names.count; i++) {
		for (alg = 0; alg < DIGEST_ALG_COUNT; alg++)
			if (strcmp(names.v[i], digest_alg_name((enum digest_alg)alg)) == 0)
				break;
		str_reset(&dir);
		str_addf(&dir, "%s/%s", above, names.v[i]);
		if (alg == DIGEST_ALG_COUNT)
			fsck_stray(w, above, names.v[i]);
		else if (each_of_alg(w, dir.buf, (enum digest_alg)alg, visit, arg, e) < 0)
			return -1;
	}
	return 0;
}

/* The link of a layer or a revision. */
struct look {
	const struct name *n;
	const struct digest *d;         /* of the directory */
	const char *dir;
	enum fsck_kind link, bare, dangling;
	int good;                       /* fsck_content_good() of that digest; -1 unknown */
};

static int repair_write(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_quota_hold struct quota_hold counted = QUOTA_HOLD_INIT;
	const struct look *l = arg;

	if (quota_repair(&counted, w->r->st, l->n, e) < 0)
		return -1;
	/* The index may have been compared while the link was corrupt: it is compared again before its next use. */
	if (l->link == FSCK_REVISION_LINK && index_drop(w->r->st, l->n, e) < 0)
		return -1;
	/* It may have been a mirror's alone while the link was corrupt. */
	return (!alone_mirror(w->r->st, l->n) && blob_forsake(w->r->st, l->d, e) < 0) || write_link(w, l->n, l->dir, l->d, e) < 0 ? -1 : 0;
}

static int repair_remove(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_quota_hold struct quota_hold counted = QUOTA_HOLD_INIT;
	const struct look *l = arg;

	/* A link of the right length that holds no digest has been counted among the referrers. */
	if (quota_repair(&counted, w->r->st, l->n, e) < 0 || (l->link == FSCK_REVISION_LINK && index_drop(w->r->st, l->n, e) < 0))
		return -1;
	return fsck_remove(w, l->dir, e);
}

/* The link holds no digest, or another one of the same algorithm. */
static int corrupt_link(struct fsck_work *w, struct look *l, enum fsck_link_state state, bool sure, struct err *e)
{
	struct fsck_fault f = { .kind = l->link, .where = l->dir, .arg = l };

	if (!sure) {
		l->good = fsck_content_good(w, l->d, e);
		return l->good < 0 ? -1 : 1;
	}
	if (l->good == 1) {
		f.repair = repair_write;
	} else if (state != FLINK_GOOD) {
		f.repair = repair_remove;
	}
	fsck_report(w, &f, state == FLINK_EMPTY ? "its link is empty" :
			   state == FLINK_GOOD ? "its link holds another digest of the same algorithm" :
						 "its link holds no digest");
	return 1;
}

static int check_link(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct look *l = arg;
	struct fsck_fault f = { .where = l->dir, .arg = l->dir };
	enum fsck_link_state state;
	cleanup_fd int fd = -1;
	struct digest target;
	uint64_t size;
	int found;

	if (fsck_link_state(w, l->dir, &state, &target, e) < 0)
		return -1;
	if (state == FLINK_GONE)
		return 0;
	if (state == FLINK_NONE) {
		f.kind = l->bare;
		f.repair = fsck_repair_remove;
		if (sure)
			fsck_report(w, &f, "has no link");
		return 1;
	}
	/* A link below sha512/ that holds a sha256 digest is good: registry:2 writes such links. */
	if (state != FLINK_GOOD || (target.alg == l->d->alg && !digest_eq(&target, l->d)))
		return corrupt_link(w, l, state, sure, e);
	found = blob_open(w->r->st, &target, &fd, &size, e);
	if (found < 0)
		return -1;
	if (found == 0) {
		f.kind = l->dangling;
		if (sure)
			fsck_report(w, &f, "links to content that does not exist");
		return 1;
	}
	return 0;
}

/* The other entries of the link's directory. */
static bool check_beside(struct fsck_work *w, const char *dir)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t i;

	if (!fsck_list(w, dir, &names))
		return false;
	for (i = 0; i < names.count; i++)
		if (strcmp(names.v[i], STORE_LINK) != 0)
			fsck_stray(w, dir, names.v[i]);
	return true;
}

struct walk {
	struct fsck_work *w;
	const struct name *n;
};

static int visit_layer(void *arg, const struct digest *d, const char *dir, struct err *e)
{
	struct walk *walk = arg;
	struct look l = { .n = walk->n, .d = d, .dir = dir, .link = FSCK_LAYER_LINK, .bare = FSCK_LAYER_BARE,
			  .dangling = FSCK_LAYER_DANGLING, .good = -1 };

	return check_beside(walk->w, dir) ? fsck_twice(walk->w, walk->n, check_link, &l, e) : 0;
}

static int visit_revision(void *arg, const struct digest *d, const char *dir, struct err *e)
{
	struct walk *walk = arg;
	struct look l = { .n = walk->n, .d = d, .dir = dir, .link = FSCK_REVISION_LINK, .bare = FSCK_REVISION_BARE,
			  .dangling = FSCK_REVISION_DANGLING, .good = -1 };

	if (!check_beside(walk->w, dir))
		return 0;
	if (fsck_twice(walk->w, walk->n, check_link, &l, e) < 0)
		return -1;
	return fsck_manifest(walk->w, walk->n, d, e);
}

int fsck_layers(struct fsck_work *w, const struct name *n, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct walk walk = { w, n };

	path_layers_dir(&dir, n);
	return fsck_link_dirs(w, dir.buf, visit_layer, &walk, e);
}

int fsck_revisions(struct fsck_work *w, const struct name *n, struct err *e)
{
	cleanup_str struct str manifests = STR_INIT, dir = STR_INIT;
	struct walk walk = { w, n };

	path_manifests(&manifests, n);
	path_in(&dir, manifests.buf, STORE_REVISIONS);
	return fsck_link_dirs(w, dir.buf, visit_revision, &walk, e);
}
