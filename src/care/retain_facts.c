/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_facts: what a rule asks of manifests: platforms and signatures.
 *
 * Owns nothing. Reads what fits into manifests.max_size, and configurations up to CONFIG_MAX. A part of `retain_read`.
 */
#include <string.h>

#include "base/digestset.h"
#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mem.h"
#include "base/platform.h"
#include "care/retain_read.h"
#include "os/file.h"
#include "registry/reg_stored.h"
#include "store/blob.h"
#include "store/index.h"
#include "store/revision.h"
#include "store/tag.h"

#define CONFIG_MAX (4u << 20)   /* bytes of an image's configuration */

struct facts {
	const struct retain_reading *rd;
	struct digestset signed_ones;   /* what signatures refer to */
};

static bool text_is_of(struct json_view v, const char *const *heads, size_t count)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind == JSON_STRING)
		json_view_text(v, &text);
	for (size_t i = 0; i < count; i++)
		if (strncmp(text.buf, heads[i], strlen(heads[i])) == 0)
			return true;
	return false;
}

/* Whether a referrer's descriptor is that of a signature: those of cosign, with and without bundles of sigstore, and of notation. */
static bool is_signature(const struct str *descriptor)
{
	static const char *const types[] = {
		"application/vnd.dev.cosign.artifact.sig.", "application/vnd.dev.sigstore.bundle.", "application/vnd.cncf.notary.signature",
	};
	struct json_fault f;

	return json_check(descriptor->buf, descriptor->len, &f) == 0 &&
	       text_is_of(json_view_get(json_view_of(descriptor->buf, descriptor->len), "artifactType"), types, ARRAY_LEN(types));
}

static int add_signed(void *arg, const struct digest *d, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct facts *f = arg;
	struct digest subject;
	size_t read = 0;
	int found;

	if (retain_pace(f->rd, e) < 0)
		return -1;
	found = reg_stored_referrer(f->rd->r, f->rd->n, d, &subject, &descriptor, &read, e);
	if (found == 1 && is_signature(&descriptor))
		digestset_add(&f->signed_ones, &subject);
	return found < 0 ? -1 : 0;
}

/* By subject, which needs no index: while nobody serves none is known to be right. And by tags such as "sha256-HEX.sig". */
static int find_signed(struct facts *f, const struct retain_set *s, struct err *e)
{
	struct digest d;

	for (size_t i = 0; i < s->count; i++) {
		const char *tag = s->tags[i].name;

		if (s->tags[i].of_digest && strcmp(tag + strlen("sha256-") + 64, ".sig") == 0 && retain_spoken_digest(tag, &d))
			digestset_add(&f->signed_ones, &d);
	}
	return revision_walk(f->rd->r->st, f->rd->n, add_signed, f, e) < 0 ? -1 : 0;
}

#define PAGE 64         /* referrers at once */

/* The index may name too much: what it names has to be there. */
static int any_signature(const struct retain_reading *rd, const struct digest *subject, const struct names *referrers, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct store *st = rd->r->st;
	struct digest d;
	int found = 0;

	for (size_t i = 0; found == 0 && i < referrers->count; i++) {
		if (digest_parse(&d, referrers->v[i], strlen(referrers->v[i])) < 0)
			continue;
		str_reset(&descriptor);
		found = index_read_referrer(st, rd->n, subject, &d, &descriptor, e);
		if (found == 1)
			found = is_signature(&descriptor) ? revision_linked(st, rd->n, &d, e) : 0;
	}
	return found;
}

static int has_signature_tag(const struct retain_reading *rd, const struct digest *d, struct err *e)
{
	cleanup_str struct str name = STR_INIT;
	struct digest content;
	struct tag t;

	str_addf(&name, "%s-%.64s.sig", digest_alg_name(d->alg), digest_hex(d));
	return tag_parse(&t, name.buf, name.len) < 0 ? 0 : tag_read(rd->r->st, rd->n, &t, &content, e);
}

int retain_signed(const struct retain_reading *rd, const struct digest *d, struct err *e)
{
	cleanup_str struct str after = STR_INIT;
	int found = has_signature_tag(rd, d, e);
	bool more = true;

	while (found == 0 && more) {
		cleanup_names struct names page = NAMES_INIT;

		if (index_referrers(rd->r->st, rd->n, d, after.buf, PAGE, &page, e) < 0)
			return -1;
		found = any_signature(rd, d, &page, e);
		more = page.count >= PAGE;
		str_reset(&after);
		if (page.count)
			str_puts(&after, page.v[page.count - 1]);
	}
	return found;
}

/* Content as checked JSON: 1, 0 absent, -1 with *e, -2 if it can't be read as such. */
enum { UNREADABLE = -2 };

static int read_json(struct store *st, const struct digest *content, uint64_t max, struct str *bytes, struct err *e)
{
	cleanup_fd int fd = -1;
	struct json_fault f;
	uint64_t size;
	int found = blob_open(st, content, &fd, &size, e);

	if (found <= 0)
		return found;
	if (size > max)
		return UNREADABLE;
	if (os_read_str(fd, size, bytes) < 0)
		return err_sys(e, "cannot read %s", content->text);
	return json_check(bytes->buf, bytes->len, &f) < 0 ? UNREADABLE : 1;
}

/* Set the bits of the entries whose platform this one is. */
static void compare(const struct rule *rule, struct json_view o, uint64_t *bits)
{
	for (size_t k = 0; k < rule->nkeep; k++)
		if (KEEP_IS(&rule->keep[k], KEEP_PLATFORM) && platform_is(o, rule->keep[k].platform))
			*bits |= UINT64_C(1) << k;
}

/* Of an image the configuration says it; other artifacts have no platform. 1, -1, UNREADABLE. */
static int platform_of_config(const struct retain_reading *rd, struct json_view config, uint64_t *bits, struct err *e)
{
	static const char *const types[] = { "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json" };
	cleanup_str struct str text = STR_INIT, bytes = STR_INIT;
	struct json_view named = json_view_get(config, "digest");
	struct digest d, content;
	int found;

	if (!text_is_of(json_view_get(config, "mediaType"), types, ARRAY_LEN(types)))
		return 1;
	if (named.kind != JSON_STRING)
		return UNREADABLE;
	json_view_text(named, &text);
	if (digest_parse(&d, text.buf, text.len) < 0)
		return UNREADABLE;
	found = blob_read_link(rd->r->st, rd->n, &d, &content, e);
	if (found == 1)
		found = read_json(rd->r->st, &content, CONFIG_MAX, &bytes, e);
	if (found == 1)
		compare(rd->rule, json_view_of(bytes.buf, bytes.len), bits);
	return found == 0 ? UNREADABLE : found;
}

/* A manifest of the repository as checked JSON: 1, 0 if it has no such manifest, -1 with *e, UNREADABLE. A link without its content says nothing. */
static int read_manifest(const struct retain_reading *rd, const struct digest *d, struct str *bytes, struct err *e)
{
	struct digest content;
	int found = revision_find(rd->r->st, rd->n, d, &content, e), linked;

	if (found < 0)
		return -1;
	if (found == 0) {
		linked = revision_linked(rd->r->st, rd->n, d, e);
		return linked == 1 ? UNREADABLE : linked;
	}
	found = read_json(rd->r->st, &content, rd->r->cfg->max_manifest, bytes, e);
	return found == 0 ? UNREADABLE : found;
}

/* The entries whose platform the manifest has: 1, -1 with *e, UNREADABLE. A tag that points to nothing has no platform. */
static int platforms(const struct retain_reading *rd, const struct digest *d, uint64_t *bits, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	struct json_view o, list, entry;
	struct json_walk w;
	int found = read_manifest(rd, d, &bytes, e);

	if (found <= 0)
		return found == 0 ? 1 : found;
	o = json_view_of(bytes.buf, bytes.len);
	list = json_view_get(o, "manifests");
	if (list.kind != JSON_LIST)
		return platform_of_config(rd, json_view_get(o, "config"), bits, e);
	w = json_walk(list);
	while (json_walk_next(&w, NULL, &entry))
		compare(rd->rule, json_view_get(entry, "platform"), bits);
	return 1;
}

/* The entries that ask for what is in manifests, as far as their other conditions hold. */
static uint64_t asked(const struct rule *rule, const struct retain_tag *t, int64_t now, bool platform)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < rule->nkeep; i++)
		if ((platform ? KEEP_IS(&rule->keep[i], KEEP_PLATFORM) : retain_reads(&rule->keep[i])) && retain_holds(&rule->keep[i], t, now))
			bits |= UINT64_C(1) << i;
	return bits;
}

static int find_out(struct facts *f, struct retain_tag *t, struct err *e)
{
	const struct rule *rule = f->rd->rule;
	uint64_t facts = asked(rule, t, f->rd->now, false), platform = asked(rule, t, f->rd->now, true), has = 0;
	int found = 1;

	t->is_signed = digestset_has(&f->signed_ones, &t->digest);

	for (size_t i = 0; i < rule->nkeep; i++)
		if (KEEP_IS(&rule->keep[i], KEEP_SIGNED) && rule->keep[i].is_signed != t->is_signed)
			facts &= ~(UINT64_C(1) << i);
	if (facts & platform) {
		if (retain_pace(f->rd, e) < 0)
			return -1;
		found = platforms(f->rd, &t->digest, &has, e);
		t->unreadable = found == UNREADABLE;
	}
	t->facts = facts & (~platform | has);
	return found == -1 ? -1 : 0;
}

int retain_facts(const struct retain_reading *rd, struct retain_set *s, struct err *e)
{
	struct facts f = { .rd = rd };
	int rc = retain_asks(rd->rule, KEEP_SIGNED) ? find_signed(&f, s, e) : 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (!s->tags[i].of_digest)
			rc = find_out(&f, &s->tags[i], e);
	digestset_release(&f.signed_ones);
	return rc;
}
