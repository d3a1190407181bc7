/* SPDX-License-Identifier: Apache-2.0 */
/* h_base: /v2/, which tells clients that this is a registry. */
#include "http/handlers.h"

int h_base_get(struct exchange *x, struct err *e)
{
	(void)e;
	response_json(&x->rs, 200);
	str_puts(&x->rs.body, "{}");    /* two bytes, no newline: as registry:2 */
	return 0;
}
