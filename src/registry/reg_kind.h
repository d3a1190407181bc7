/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_KIND_H
#define BERTH_REGISTRY_REG_KIND_H

/* reg_kind: what a referrer is, by its descriptor, and a line about what is in it (doc/PAGE.md, "The API"). */

#include <stdint.h>
#include "base/err.h"
#include "base/json_view.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

enum kind { KIND_SIGNATURE, KIND_SBOM, KIND_ATTESTATION, KIND_OTHER, KIND_COUNT };

/* kind_name - "signature" ...; static text */
const char *kind_name(enum kind k);

/* kind_of - by the artifact type, and the annotations of cosign and sigstore; the descriptor has passed json_check() */
enum kind kind_of(struct json_view descriptor);

/*
 * kind_summary - add what the content of a referrer is, in words: "SPDX 2.3, 112 packages"; nothing where it is not known
 * manifest  the referrer's; its first layer is read, if it has at most *budget bytes, which is decreased by them
 * Returns 0, or -1 with *e.
 */
int kind_summary(struct registry *r, const struct name *n, struct json_view manifest, uint64_t *budget, struct str *out, struct err *e);

#endif
