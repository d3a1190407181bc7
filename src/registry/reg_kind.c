/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_kind: kinds of referrers.
 *
 * Owns no state. Knows nothing of HTTP or users. A content that claims to be something is believed: nothing here verifies a signature.
 */
#include "registry/reg_kind.h"

#include <string.h>

#include "base/b64.h"
#include "base/json_check.h"
#include "base/mem.h"
#include "registry/reg_facts.h"

#define WORD_MAX 120            /* bytes of a text from content in a summary */
#define TYPE_JSON_MAX 1024      /* of a type, as JSON */

const char *kind_name(enum kind k)
{
	static const char *const names[KIND_COUNT] = { "signature", "sbom", "attestation", "other" };

	return names[k];
}

static const struct {
	const char *head;
	enum kind kind;
} types[] = {
	{ "application/vnd.dev.cosign.artifact.sig.", KIND_SIGNATURE },
	{ "application/vnd.cncf.notary.signature", KIND_SIGNATURE },
	{ "application/vnd.dev.sigstore.bundle", KIND_SIGNATURE },
	{ "application/vnd.dev.cosign.artifact.sbom.", KIND_SBOM },
	{ "application/spdx", KIND_SBOM },
	{ "text/spdx", KIND_SBOM },
	{ "application/vnd.cyclonedx", KIND_SBOM },
	{ "application/vnd.syft", KIND_SBOM },
	{ "application/vnd.in-toto", KIND_ATTESTATION },
	{ "application/vnd.dsse.envelope", KIND_ATTESTATION },
	{ "application/vnd.dev.cosign.artifact.att.", KIND_ATTESTATION },
};

static enum kind by_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strncmp(type, types[i].head, strlen(types[i].head)) == 0)
			return types[i].kind;
	return KIND_OTHER;
}

/* A bundle of sigstore carries a statement if it has a type of predicate that is not cosign's for a mere signature. */
static bool is_statement(struct json_view descriptor)
{
	struct json_view v = json_view_get(json_view_get(descriptor, "annotations"), "dev.sigstore.bundle.predicateType");

	return v.kind == JSON_STRING && v.len > 2 && !json_view_is(v, "https://sigstore.dev/cosign/sign/v1");
}

enum kind kind_of(struct json_view descriptor)
{
	cleanup_str struct str type = STR_INIT;
	struct json_view v = json_view_get(descriptor, "artifactType");
	enum kind k;

	if (v.kind != JSON_STRING || v.len > TYPE_JSON_MAX)
		return KIND_OTHER;
	json_view_text(v, &type);
	k = by_type(type.buf);
	return k == KIND_SIGNATURE && is_statement(descriptor) ? KIND_ATTESTATION : k;
}

static size_t count_of(struct json_view list)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;
	size_t n = 0;

	if (list.kind != JSON_LIST)
		return 0;
	while (json_walk_next(&w, NULL, &entry))
		n++;
	return n;
}

static void add_word(struct str *out, const char *before, struct json_view v)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind != JSON_STRING)
		return;
	json_view_text(v, &text);
	str_puts(out, before);
	str_add(out, text.buf, strnlen(text.buf, text.len < WORD_MAX ? text.len : WORD_MAX));
}

static bool says_spdx(struct json_view o, struct str *out)
{
	cleanup_str struct str version = STR_INIT;
	size_t n = count_of(json_view_get(o, "packages"));

	add_word(&version, "", json_view_get(o, "spdxVersion"));
	if (strncmp(version.buf, "SPDX-", 5) != 0)
		return false;
	str_addf(out, "SPDX %s, %zu package%s", version.buf + 5, n, n == 1 ? "" : "s");
	return true;
}

static bool says_cyclonedx(struct json_view o, struct str *out)
{
	size_t n = count_of(json_view_get(o, "components"));

	if (!json_view_is(json_view_get(o, "bomFormat"), "CycloneDX"))
		return false;
	str_puts(out, "CycloneDX");
	add_word(out, " ", json_view_get(o, "specVersion"));
	str_addf(out, ", %zu component%s", n, n == 1 ? "" : "s");
	return true;
}

/* in-toto's statement: what its predicate is, if it is an SBOM, or who built it. */
static bool says_statement(struct json_view o, struct str *out)
{
	struct json_view type = json_view_get(o, "predicateType"), p = json_view_get(o, "predicate"), builder;

	if (type.kind != JSON_STRING)
		return false;
	if (says_spdx(p, out) || says_cyclonedx(p, out))
		return true;
	add_word(out, "statement ", type);
	builder = json_view_get(json_view_get(p, "builder"), "id");
	if (builder.kind != JSON_STRING)
		builder = json_view_get(json_view_get(json_view_get(p, "runDetails"), "builder"), "id");
	add_word(out, ", built by ", builder);
	return true;
}

/* A signed envelope has its statement in base64. */
static void says_envelope(struct json_view o, struct str *out)
{
	cleanup_str struct str text = STR_INIT, payload = STR_INIT;
	struct json_view v = json_view_get(o, "payload");
	struct json_fault f;

	if (v.kind != JSON_STRING)
		return;
	json_view_text(v, &text);
	if (b64_decode(B64_LOGIN, text.buf, text.len, &payload) < 0 || json_check(payload.buf, payload.len, &f) < 0)
		return;
	says_statement(json_view_of(payload.buf, payload.len), out);
}

int kind_summary(struct registry *r, const struct name *n, struct json_view manifest, uint64_t *budget, struct str *out, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	struct json_view layer, o;
	struct json_walk w = json_walk(json_view_get(manifest, "layers"));
	struct digest d;
	uint64_t size;
	int found;

	if (w.object || !json_walk_next(&w, NULL, &layer) || !facts_digest(layer, &d) || json_view_u64(json_view_get(layer, "size"), &size) < 0 ||
	    size > *budget)
		return 0;
	found = facts_json(r, n, &d, *budget, &bytes, e);
	if (found <= 0)
		return found;
	*budget -= bytes.len;
	o = json_view_of(bytes.buf, bytes.len);
	if (says_spdx(o, out) || says_cyclonedx(o, out) || says_statement(o, out))
		return 0;
	if (json_view_get(o, "dsseEnvelope").kind == JSON_OBJECT)       /* a bundle of sigstore */
		o = json_view_get(o, "dsseEnvelope");
	says_envelope(o, out);
	return 0;
}
