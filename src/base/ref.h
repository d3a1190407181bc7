/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_REF_H
#define BERTH_BASE_REF_H

/*
 * ref: the names that clients use, validated into types (distribution-spec, "Pulling manifests"; api.md, "Grammar").
 *
 * As with struct digest there is no other way to get one of these than by parsing, so each is safe to become a part
 * of a path: no dot segment, no slash where none belongs, no NUL, bounded.
 */

#include <stddef.h>
#include "base/digest.h"

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN 128
#define UUID_LEN 36

struct name {                   /* a repository's name, "team/app" */
	size_t len;
	char s[NAME_MAX_LEN + 1];
};

struct tag {
	size_t len;
	char s[TAG_MAX_LEN + 1];
};

struct uuid {                   /* an upload's name; lower-case hex and dashes */
	char s[UUID_LEN + 1];
};

enum ref_kind { REF_TAG, REF_DIGEST };

struct ref {                    /* what stands after /manifests/ */
	enum ref_kind kind;
	union {
		struct tag tag;
		struct digest digest;
	};
};

/* Each returns 0, or -1 where [s, s+len) does not match its grammar to the end. */
int name_parse(struct name *n, const char *s, size_t len);
int tag_parse(struct tag *t, const char *s, size_t len);
int uuid_parse(struct uuid *u, const char *s, size_t len);

/* name_component_ok - whether [s, s+len) may be one component of a name: what lies between two slashes */
int name_component_ok(const char *s, size_t len);

/*
 * ref_parse - a tag or a digest; one with a ':' is meant as a digest
 * Returns 0, or -1 with *meant telling which of the two it failed to be.
 */
int ref_parse(struct ref *r, const char *s, size_t len, enum ref_kind *meant);

const char *ref_text(const struct ref *r);      /* borrowed from r */

/* uuid_from_random - a version 4 UUID (RFC 9562) from 16 random bytes */
void uuid_from_random(struct uuid *u, const unsigned char bytes[16]);

#endif
