/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_quota: the tables of quotas against the links, if the epoch says that they are current.
 */
#include "care/fsck_work.h"
#include "care/quotas.h"
#include "store/quota.h"
#include "store/store_path.h"

#include <string.h>

static int repair(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_quota_hold struct quota_hold h = QUOTA_HOLD_INIT;

	return quota_repair(&h, w->r->st, arg, e);      /* the next push counts */
}

static int tell(void *arg, const struct name *n, const char *group, const char *what, struct err *e)
{
	struct fsck_fault f = { .kind = FSCK_QUOTA, .where = *group ? group : "**", .repair = repair, .arg = n };

	(void)e;
	fsck_report(arg, &f, "its table %s", what);
	return 0;
}

/* Tables are named by a SHA-256; nothing else is there but the rules. */
static void check_names(struct fsck_work *w)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t i;

	if (!fsck_type(w, STORE_QUOTA_DIR) || fsck_list(w, STORE_QUOTA_DIR, &names) <= 0)
		return;
	for (i = 0; i < names.count; i++) {
		struct digest d;

		if (strcmp(names.v[i], strrchr(STORE_QUOTA_RULES_FILE, '/') + 1) != 0 &&
		    digest_of_hex(&d, DIGEST_SHA256, names.v[i], strlen(names.v[i])) < 0)
			fsck_stray(w, STORE_QUOTA_DIR, names.v[i]);
	}
}

int fsck_quota(struct fsck_work *w, struct err *e)
{
	check_names(w);
	return quotas_check(w->r, tell, w, e) < 0 ? fsck_unreadable(w, e) : 0;
}
