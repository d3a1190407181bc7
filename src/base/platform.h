/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PLATFORM_H
#define BERTH_BASE_PLATFORM_H

/* platform: what an image runs on, as "OS/ARCH" or "OS/ARCH/VARIANT" (image-spec image-index.md, image-spec config.md). */

#include <stdbool.h>
#include "base/json_view.h"

/* platform_ok - whether the text has this form; it is at most 127 bytes long then */
bool platform_ok(const char *s);

/*
 * platform_is - whether an object that has "os", "architecture" and perhaps "variant" is of the platform; without a variant this stands for all
 *               of them
 * o  of an index's entry, or an image's configuration
 */
bool platform_is(struct json_view o, const char *platform);

#endif
