/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sizes: writing down the bytes of repositories.
 *
 * Owns nothing. A reader finds the file of one moment, or none.
 */
#include "care/sizes.h"

#include <inttypes.h>

#include "care/du.h"
#include "registry/reg_sizes.h"
#include "store/clock.h"
#include "store/store_path.h"
#include "store/touched.h"

static int tell(void *arg, const struct name *n, const struct du *du, struct err *e)
{
	(void)e;
	reg_sizes_add(arg, n, du->own, du->shared);
	return 0;
}

int sizes_write(struct registry *r, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t now;
	struct du total;

	if (clock_now(r->st, &now, e) < 0)
		return -1;
	reg_sizes_begin(&text, (int64_t)(now / 1000000));
	if (du_count(r, NULL, 0, tell, &text, &total, e) < 0)
		return -1;
	dated_end(&text);
	if (store_replace(r->st, STORE_SIZES_FILE, text.buf, text.len, false) < 0)
		return err_sys(e, "cannot write %s", STORE_SIZES_FILE);
	return touched_forget(r->st, e);        /* the list of repositories has older ones */
}
