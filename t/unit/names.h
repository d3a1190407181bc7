/* SPDX-License-Identifier: Apache-2.0 */
/* Names as types: for texts that are valid. */

#include <stdlib.h>
#include <string.h>

#include "base/ref.h"

static inline struct name name_of(const char *s)
{
	struct name n;

	if (name_parse(&n, s, strlen(s)) < 0)
		abort();
	return n;
}

static inline struct tag tag_of(const char *s)
{
	struct tag t;

	if (tag_parse(&t, s, strlen(s)) < 0)
		abort();
	return t;
}
