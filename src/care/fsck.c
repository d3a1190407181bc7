/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck: the parts of a check in their order.
 *
 * Owns what one run collects. Content is checked before the links to it, so that content moved to the quarantine is reported as
 * missing in the same run.
 */
#include "care/fsck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "care/fsck_work.h"
#include "care/quotas.h"
#include "os/file.h"
#include "store/layout.h"
#include "store/store_path.h"

static int repair_format(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	(void)arg;
	str_addf(&text, "%d\n", STORE_FORMAT);
	if (store_replace(w->r->st, STORE_FORMAT_FILE, text.buf, text.len, true) < 0 ||
	    store_flush_above(w->r->st, STORE_FORMAT_FILE, 1) < 0)
		return err_sys(e, "cannot write %s", STORE_FORMAT_FILE);
	return 0;
}

/* Whether this program knows the format of berth/, as far as the format file says. */
static bool check_format(struct fsck_work *w)
{
	struct fsck_fault f = { .kind = FSCK_FORMAT, .where = STORE_FORMAT_FILE };
	uint64_t version;
	char text[32];
	ssize_t n = os_read_file(w->r->st->dirfd, STORE_FORMAT_FILE, text, sizeof(text));
	mode_t type = n < 0 ? fsck_type(w, STORE_FORMAT_FILE) : S_IFREG;

	if (n < 0 && type == S_IFREG) {
		f.kind = FSCK_UNREADABLE;
		fsck_report(w, &f, "cannot be read: %s%s", strerror(errno), w->o->repair ? "; nothing else was checked" : "");
		return !w->o->repair;   /* it may be of a newer berth, whose store this one must not repair */
	}
	while (n > 0 && n <= (ssize_t)sizeof(text) && text[n - 1] == '\n')
		n--;
	if (n <= 0) {
		f.repair = repair_format;
		fsck_report(w, &f, "is %s", n == 0 ? "empty" : type ? "not a regular file" : "missing");
		return true;
	}
	if ((size_t)n <= sizeof(text) && str_parse_u64(text, (size_t)n, &version) == 0 && version <= STORE_FORMAT)
		return true;
	fsck_report(w, &f, "was written by a newer berth (this one knows format %d); nothing else was checked", STORE_FORMAT);
	return false;
}

int fsck_run(struct registry *r, const struct fsck_options *o, struct fsck_result *out, struct err *e)
{
	struct fsck_work w = { .r = r, .o = o, .out = out, .repositories = NAMES_INIT, .trashed = NAMES_INIT, .unreadable = NAMES_INIT };
	int rc = 0;

	*out = (struct fsck_result){ 0 };
	if (check_format(&w) && ((o->repair && quotas_prepare(r, e) < 0) ||
				 fsck_access(&w, e) < 0 || fsck_blobs(&w, e) < 0 || (o->data && fsck_data(&w, e) < 0) ||
				 fsck_repositories(&w, e) < 0 || fsck_undo(&w, e) < 0 || fsck_rules(&w, e) < 0 || fsck_index(&w, NULL, e) < 0 ||
				 fsck_quota(&w, e) < 0))
		rc = -1;
	free(w.blobs);
	digestset_release(&w.good);
	digestset_release(&w.corrupt);
	names_release(&w.repositories);
	names_release(&w.trashed);
	names_release(&w.unreadable);
	return rc;
}
