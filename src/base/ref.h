/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_REF_H
#define BERTH_BASE_REF_H

/*
 * ref: the names that clients use, validated into types (distribution-spec, "Pulling manifests"; doc/API.md, "Grammar").
 *
 * As with struct digest, only parsing makes one of these, so each is safe as part of a path: it is bounded, and has no dot
 * segment, no NUL, and no slash where none may be.
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

struct ref {                    /* the last part of the path, after /manifests/ */
	enum ref_kind kind;
	union {
		struct tag tag;
		struct digest digest;
	};
};

/* Each returns 0, or -1 if [s, s+len) as a whole does not match its grammar. */
int name_parse(struct name *n, const char *s, size_t len);
int tag_parse(struct tag *t, const char *s, size_t len);
int uuid_parse(struct uuid *u, const char *s, size_t len);

/* name_component_ok - whether [s, s+len) is a valid component of a name: the part between two slashes */
int name_component_ok(const char *s, size_t len);

/*
 * ref_parse - parse a tag or a digest; a text with a ':' is a digest
 * Returns 0 or -1; *meant, which may be NULL, gets the kind in both cases.
 */
int ref_parse(struct ref *r, const char *s, size_t len, enum ref_kind *meant);

const char *ref_text(const struct ref *r);      /* borrowed from r */

/* uuid_from_random - a version 4 UUID (RFC 9562) from 16 random bytes */
void uuid_from_random(struct uuid *u, const unsigned char bytes[16]);

#endif
