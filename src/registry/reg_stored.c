/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_stored: stored manifests, found and read.
 *
 * Owns no state and acquires no lock. Knows nothing of HTTP or users.
 */
#include "registry/reg_stored.h"

#include <inttypes.h>

#include "base/log.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "store/blob.h"
#include "store/nearby.h"
#include "store/revision.h"
#include "store/tag.h"

void stored_manifest_release(struct stored_manifest *m)
{
	os_cleanup_fd(&m->fd);
	str_release(&m->bytes);
}

static int unknown(const struct ref *ref, struct err *e)
{
	return err_set(e, ERR_MANIFEST_UNKNOWN, "%s", ref_text(ref));
}

/*
 * Open the content of the manifest out->digest of this repository: 1, 0 absent, -1 with *e.
 * look  NULL, or what may have the bytes in memory. Content is there as long as a link leads to it, but for what fsck moves away, which is a move.
 */
static int open_digest(struct registry *r, const struct name *n, struct nearby_look *look, struct stored_manifest *out, struct err *e)
{
	int found = revision_find(r->st, n, &out->digest, &out->content, e);

	if (found != 1)
		return found;
	if (look && nearby_recall(look, &out->content, &out->bytes)) {
		out->size = out->bytes.len;
		return 1;
	}
	return blob_open(r->st, &out->content, &out->fd, &out->size, e);
}

/* A reader has no lock: after the tag was read it may move, and its old manifest be deleted. Then the tag is read again. */
static int open_tag(struct registry *r, const struct name *n, const struct tag *t, struct nearby_look *look, struct stored_manifest *out,
		    struct err *e)
{
	struct digest now;
	int found = tag_read(r->st, n, t, &now, e);

	while (found == 1) {
		int opened;

		out->digest = now;
		opened = open_digest(r, n, look, out, e);
		if (opened != 0)
			return opened;
		found = tag_read(r->st, n, t, &now, e);
		if (found == 1 && digest_eq(&now, &out->digest))
			return 0;       /* it has not moved: its manifest is missing */
	}
	return found;
}

static bool too_large(const struct registry *r, const struct stored_manifest *m)
{
	if (m->size <= r->cfg->max_manifest)
		return false;
	log_say(LOG_WARN, "manifest_too_large", "%s has %" PRIu64 " bytes and is not served as a manifest", m->digest.text,
		m->size);
	return true;
}

int reg_stored_find(struct registry *r, const struct name *n, const struct ref *ref, struct stored_manifest *out,
		    struct err *e)
{
	struct nearby_look look;
	int found;

	nearby_begin(&look, r->st, n, NEARBY_REVISIONS | (ref->kind == REF_TAG ? NEARBY_TAGS : 0), ref->kind == REF_DIGEST ? &ref->digest : NULL);
	do {
		stored_manifest_release(out);
		err_release(e);
		if (ref->kind == REF_DIGEST)
			out->digest = ref->digest;
		found = ref->kind == REF_DIGEST ? open_digest(r, n, &look, out, e) : open_tag(r, n, &ref->tag, &look, out, e);
	} while (nearby_again(&look, found == 1));
	if (found <= 0)
		return found == 0 ? unknown(ref, e) : -1;
	return too_large(r, out) ? unknown(ref, e) : 0;
}

static int read_bytes(const struct stored_manifest *m, struct str *bytes, struct err *e)
{
	if (m->fd < 0) {
		str_add(bytes, m->bytes.buf, m->bytes.len);
		return 0;
	}
	return os_read_str(m->fd, m->size, bytes) < 0 ? err_sys(e, "cannot read manifest %s", m->digest.text) : 0;
}

int reg_stored_read(struct registry *r, const struct stored_manifest *m, struct str *bytes, struct str *type, struct err *e)
{
	size_t before = bytes->len;

	if (read_bytes(m, bytes, e) < 0)
		return -1;
	if (m->fd >= 0)
		nearby_remember(r->st, &m->content, bytes->buf + before, bytes->len - before);
	manifest_scan_type(type, bytes->buf, bytes->len);
	return 0;
}

int reg_stored_bytes(struct registry *r, const struct name *n, const struct digest *d, struct str *bytes, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = { .digest = *d, .fd = -1, .bytes = STR_INIT };
	int found = open_digest(r, n, NULL, &m, e);

	if (found == 1 && too_large(r, &m))
		return err_set(e, ERR_MANIFEST_INVALID, "%s has more than %" PRIu64 " bytes", d->text, r->cfg->max_manifest);
	return found <= 0 ? found : read_bytes(&m, bytes, e) < 0 ? -1 : 1;
}

int reg_stored_content(struct registry *r, const struct digest *content, struct str *bytes, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = { .digest = *content, .fd = -1, .bytes = STR_INIT };
	int found = blob_open(r->st, content, &m.fd, &m.size, e);

	if (found <= 0 || m.size > r->cfg->max_manifest)
		return found < 0 ? -1 : 0;
	return read_bytes(&m, bytes, e) < 0 ? -1 : 1;
}

int reg_stored_referrer(struct registry *r, const struct name *n, const struct digest *d, struct digest *subject,
			struct str *descriptor, size_t *read, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = { .digest = *d, .fd = -1, .bytes = STR_INIT };
	cleanup_str struct str bytes = STR_INIT;
	int found = open_digest(r, n, NULL, &m, e);

	if (found <= 0 || too_large(r, &m))
		return found < 0 ? -1 : 0;
	if (read_bytes(&m, &bytes, e) < 0)
		return -1;
	*read += bytes.len;
	return manifest_scan_referrer(bytes.buf, bytes.len, d, subject, descriptor);
}

int reg_stored_subject(struct registry *r, const struct name *n, const struct digest *d, struct digest *subject)
{
	cleanup_str struct str bytes = STR_INIT, descriptor = STR_INIT;
	cleanup_err struct err ignored = ERR_INIT;

	*subject = (struct digest){ 0 };
	if (reg_stored_bytes(r, n, d, &bytes, &ignored) != 1)
		return -1;
	return manifest_scan_referrer(bytes.buf, bytes.len, d, subject, &descriptor);
}
