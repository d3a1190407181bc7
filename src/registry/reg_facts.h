/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_FACTS_H
#define BERTH_REGISTRY_REG_FACTS_H

/*
 * reg_facts: what a list says of a manifest (doc/PAGE.md, "The API"): its types, the bytes of a pull, when it was created, its platforms.
 *
 * All of it follows from content. Whatever has another form than expected is missing in it.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/json_view.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

#define FACTS_TYPE_MAX 128              /* bytes of a type */
#define FACTS_PLATFORMS_MAX 160         /* bytes of all platforms together */
#define FACTS_CONFIG_MAX (4u << 20)     /* bytes of a configuration that is read */

struct facts {
	struct str media_type, artifact_type;   /* at most FACTS_TYPE_MAX bytes of each; artifact_type: "": none */
	struct str platforms;           /* "os/arch[/variant]", separated by commas; "": none is known */
	bool sized, dated;
	uint64_t bytes;                 /* sized: what a pull moves: the manifest and all that it names, each once; of an index, all that is here */
	int64_t created;                /* dated: seconds since the epoch */
};

#define FACTS_INIT { .media_type = STR_INIT, .artifact_type = STR_INIT, .platforms = STR_INIT }
void facts_release(struct facts *f);
#define cleanup_facts __attribute__((cleanup(facts_release)))

/*
 * facts_of - the facts of a manifest, by its bytes; f is FACTS_INIT
 * checked  the repository is known to have what the manifest names: no link is read
 * It reads the configuration of an image, and up to 100 manifests of an index. Returns 0, or -1 with *e.
 */
int facts_of(struct registry *r, const struct name *n, const char *buf, size_t len, bool checked, struct facts *f, struct err *e);

/* facts_read - the same of a stored manifest: 1, 0 if the repository lacks it or its content, -1 with *e */
int facts_read(struct registry *r, const struct name *n, const struct digest *d, struct facts *f, struct err *e);

/*
 * facts_json - read content that is checked JSON: 1, 0 if it is absent, larger than max bytes or no JSON, -1 with *e
 * `linked`: the blob that the repository has by this digest; else the content itself
 */
int facts_json(struct registry *r, const struct name *linked, const struct digest *d, uint64_t max, struct str *bytes, struct err *e);

/* facts_platform - add "os/arch[/variant]" of an object to out, at most 64 bytes; false: it says none, and nothing is added */
bool facts_platform(struct json_view o, struct str *out);

/* facts_digest - the digest of a descriptor; false: it has none */
bool facts_digest(struct json_view descriptor, struct digest *d);

/* facts_time - read a time as configurations have it, with any offset; false: it is none */
bool facts_time(struct json_view v, int64_t *seconds);

/* facts_is_config - whether a type is that of an image's configuration; facts_attests - whether a descriptor is one of BuildKit's attestations */
bool facts_is_config(struct json_view type);
bool facts_attests(struct json_view descriptor);

#endif
