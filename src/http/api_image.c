/* SPDX-License-Identifier: Apache-2.0 */
/* api_image: /berth/v1/repos/<name>/manifests/<reference>, all that is known of a manifest (doc/PAGE.md, "The API"). */
#include "http/api.h"
#include "http/handlers.h"
#include "registry/reg_image.h"

int api_image_get(struct exchange *x, struct err *e)
{
	struct digest d;
	struct ref ref;

	if (ref_parse(&ref, x->tail, x->tail_len, NULL) < 0)
		return err_set(e, ERR_MANIFEST_UNKNOWN, "%.*s", (int)x->tail_len, x->tail);
	response_json(&x->rs, 200);
	if (reg_image(x->reg, &x->name, &ref, &x->rs.body, &d, e) < 0)
		return -1;
	api_done(x);
	return 0;
}
