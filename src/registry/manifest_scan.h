/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_MANIFEST_SCAN_H
#define BERTH_REGISTRY_MANIFEST_SCAN_H

/*
 * manifest_scan: the lenient reader of manifests, for bytes that are stored already.
 *
 * manifest_parse() decides what may be pushed. The functions here accept whatever another registry has stored: a field
 * of the wrong type counts as absent. They build a tree of the JSON only where the text alone does not give the answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"
#include "base/str.h"
#include "registry/manifest.h"

/*
 * manifest_scan_type - append to *type the Content-Type to serve the bytes with
 *
 * The mediaType inside if it is valid in a header; otherwise the type of an index if there is `manifests`, of schema 1
 * if schemaVersion is 1, and of an OCI image manifest in all other cases. The bytes need not be JSON.
 */
void manifest_scan_type(struct str *type, const char *buf, size_t len);

/*
 * manifest_scan_referrer - the subject, and the descriptor for the list of its referrers (distribution-spec, "Listing
 * Referrers")
 * d  the digest that the bytes are stored under
 *
 * Returns 1 with the subject and the descriptor as JSON appended to *out: mediaType, digest, size, artifactType (that
 * of the manifest, otherwise its config's media type; none for an index without one) and annotations. Returns 0 if the
 * bytes name no subject or are not valid JSON.
 */
int manifest_scan_referrer(const char *buf, size_t len, const struct digest *d, struct digest *subject, struct str *out);

/*
 * manifest_scan_descriptors - the content that the bytes name, for a check of it
 *
 * Returns 1 with m->refs and the subject set (the other members stay empty; the caller releases *m), or 0 with *m empty
 * if the bytes are not a JSON object. *m need not be initialised. Entries whose digest is absent or unknown are left
 * out. In addition to the fields that manifest_parse() reads, schema 1's `fsLayers` are layers.
 */
int manifest_scan_descriptors(struct manifest *m, const char *buf, size_t len);

/* Every digest that a manifest names. */
struct references {
	struct digest *v;               /* owned; in the order of the text, duplicates included, without the subject's */
	size_t count, cap;
	bool has_subject;
	struct digest subject;
};

#define REFERENCES_INIT { 0 }

void references_release(struct references *r);
#define cleanup_references __attribute__((cleanup(references_release)))

/*
 * manifest_scan_references - every digest that the bytes name, for the collector
 *
 * A string that is a digest counts under any key: some readers ignore the case of keys, and manifest types that berth
 * does not know have keys of their own. A reference that is overlooked here would be deleted.
 * Returns 1 with *r filled (it need not be initialised), or 0 if the bytes are not a JSON object that every reader
 * understands alike (base/json_check.h): then nothing is known of what they name.
 */
int manifest_scan_references(struct references *r, const char *buf, size_t len);

#endif
