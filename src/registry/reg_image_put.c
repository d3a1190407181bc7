/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_image_put: what the parts of reg_image write alike.
 *
 * Owns nothing.
 */
#include <string.h>

#include "base/json_put.h"
#include "registry/reg_image_own.h"

void image_more(struct image *im, const char *list)
{
	cleanup_str struct str is = STR_INIT;

	str_addf(&is, "\"%s\":true", list);
	if (strstr(im->more.buf, is.buf))
		return;
	if (im->more.len)
		str_addc(&im->more, ',');
	str_add(&im->more, is.buf, is.len);
}

void image_texts(struct image *im, const char *key, struct json_view object)
{
	struct json_walk w = json_walk(object);
	struct json_view k, v;
	size_t count = 0;

	while (w.object && json_walk_next(&w, &k, &v)) {
		if (v.kind != JSON_STRING)
			continue;
		if (count == IMAGE_ENTRIES) {
			image_more(im, key);
			break;
		}
		if (count++ == 0) {
			json_put_key(im->out, key);
			str_addc(im->out, '{');
		}
		json_put_view(im->out, NULL, k, IMAGE_TEXT);
		str_addc(im->out, ':');
		json_put_view(im->out, NULL, v, IMAGE_TEXT);
	}
	if (count)
		str_addc(im->out, '}');
}
