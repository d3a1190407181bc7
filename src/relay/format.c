/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format: what the formats have in common.
 *
 * Owns no state. Knows neither endpoints nor requests.
 */
#include "relay/format.h"

void format_data(struct str *out, const struct format_event *fe)
{
	const struct json_view *json = &fe->ev->json;

	str_addf(out, "{\"id\":\"%s\",", fe->id);
	str_add(out, json->s + 1, json->len - 1);
}

const char *format_wrap(const struct format *f, size_t count, const struct str *objects, struct str *body)
{
	str_reset(body);
	str_puts(body, count == 1 ? f->before_one : f->before_many);
	str_add(body, objects->buf, objects->len);
	str_puts(body, count == 1 ? f->after_one : f->after_many);
	return count == 1 ? f->type_one : f->type_many;
}
