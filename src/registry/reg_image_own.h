/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_IMAGE_OWN_H
#define BERTH_REGISTRY_REG_IMAGE_OWN_H

/* reg_image_own: the parts of reg_image. Each adds members to the object; 0, or -1 with *e. */

#include "base/json_view.h"
#include "registry/reg_image.h"

struct image {
	struct registry *r;
	const struct name *n;
	const struct digest *digest;
	struct str *out;
	struct str more;                /* names of lists that were cut, as a JSON object without its braces */
	bool indexed;                   /* the index of the repository is current */
};

/* image_more - this list is longer than what is shown */
void image_more(struct image *im, const char *list);

/* image_texts - an object of strings, such as annotations; key: its name in the answer */
void image_texts(struct image *im, const char *key, struct json_view object);

/* image_layers - "platform", "config" and "layers" of a manifest that has them */
int image_layers(struct image *im, struct json_view manifest, struct err *e);

/* image_referrers - "referrers", with those of each of them */
int image_referrers(struct image *im, struct err *e);

/* image_tags - "tags" and "in": the tags of the manifest, and the tagged indexes that name it. *pushed: the newest push, 0 none */
int image_tags(struct image *im, uint64_t *pushed, struct err *e);

#endif
