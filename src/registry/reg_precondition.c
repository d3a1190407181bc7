/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_precondition: the condition under which a tag is changed.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_precondition.h"

#include "base/etag.h"
#include "store/tag.h"

static int failed(const char *header, struct err *e)
{
	err_set(e, ERR_DENIED, "the tag does not meet the precondition %s", header);
	return err_status(e, 412);
}

int reg_precondition_check(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre, struct err *e)
{
	struct digest now;
	int found;

	if (ref->kind != REF_TAG || (!pre->if_match && !pre->if_none_match))
		return 0;
	found = tag_read(r->st, n, &ref->tag, &now, e);
	if (found < 0)
		return -1;
	if (pre->if_match && !(found && etag_matches(pre->if_match, &now)))
		return failed("If-Match", e);
	if (pre->if_none_match && found && etag_matches(pre->if_none_match, &now))
		return failed("If-None-Match", e);
	return 0;
}
