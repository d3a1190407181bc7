/* SPDX-License-Identifier: Apache-2.0 */
/* The values of headers: Content-Range, lists of entity tags, media types. */

#include "fuzz.h"

#include <ctype.h>
#include <regex.h>
#include <strings.h>

#include "base/etag.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "http/range.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OTHER "sha256:0000000000000000000000000000000000000000000000000000000000000000"

/* A number of any length as text: its digits without leading zeros. */
struct digits {
	const char *s;
	size_t len;
};

static struct digits digits_of(const char *s, const regmatch_t *m)
{
	struct digits d = { s + m->rm_so, (size_t)(m->rm_eo - m->rm_so) };

	while (d.len && *d.s == '0') {
		d.s++;
		d.len--;
	}
	return d;
}

static int digits_cmp(struct digits a, struct digits b)
{
	return a.len != b.len ? (a.len < b.len ? -1 : 1) : memcmp(a.s, b.s, a.len);
}

/* What content_range_parse() should say, by a regular expression and by comparing text. */
static bool range_expected(const char *s)
{
	static const char form[] = "^[ \t]*(bytes([ \t]*=[ \t]*|[ \t]+))?([0-9]+)[ \t]*-[ \t]*([0-9]+)[ \t]*(/[ \t]*(\\*|[0-9]+)[ \t]*)?$";
	static const struct digits top = { "18446744073709551615", 20 };      /* UINT64_MAX: a last byte must be below it */
	static regex_t re;
	static bool ready;
	struct digits first, last, total;
	regmatch_t m[7];

	if (!ready)
		CHECK(regcomp(&re, form, REG_EXTENDED | REG_ICASE) == 0);
	ready = true;
	if (regexec(&re, s, ARRAY_LEN(m), m, 0) != 0)
		return false;
	first = digits_of(s, &m[3]);
	last = digits_of(s, &m[4]);
	if (digits_cmp(last, top) >= 0 || digits_cmp(first, last) > 0)
		return false;
	if (m[6].rm_so < 0 || s[m[6].rm_so] == '*')
		return true;
	total = digits_of(s, &m[6]);
	return digits_cmp(total, last) > 0 && digits_cmp(total, top) <= 0;
}

static void check_range(const char *s)
{
	cleanup_str struct str again = STR_INIT;
	uint64_t first = 1, last = 1, f2, l2;
	bool ok = content_range_parse(s, &first, &last) == 0;

	CHECK(ok == range_expected(s));
	if (!ok) {
		CHECK(first == 0 && last == 0);
		return;
	}
	CHECK(first <= last && last < UINT64_MAX);
	str_addf(&again, "%llu-%llu", (unsigned long long)first, (unsigned long long)last);
	CHECK(content_range_parse(again.buf, &f2, &l2) == 0 && f2 == first && l2 == last);
}

static bool only_star(const char *s)
{
	s += strspn(s, " \t");
	return *s == '*' && s[1 + strspn(s + 1, " \t")] == '\0';
}

static void check_etag(const char *s)
{
	cleanup_str struct str more = STR_INIT;
	struct digest d, other;
	bool matches;

	CHECK(digest_parse(&d, "sha256:" HEX, strlen("sha256:" HEX)) == 0);
	CHECK(digest_parse(&other, OTHER, strlen(OTHER)) == 0);
	matches = etag_matches(s, &d);
	CHECK(!matches || only_star(s) || strstr(s, d.text));
	/* a list with others in front says the same; "*" is no member of a list */
	str_addf(&more, "\"%s\", W/\"%s\" , %s,,", other.text, other.text, other.text);
	str_puts(&more, s);
	CHECK(etag_matches(more.buf, &d) == (matches && !only_star(s)));
	CHECK(etag_matches(more.buf, &other));
	if (strchr(s, '"'))     /* one without an end would take in what is put behind it */
		return;
	str_reset(&more);
	str_addf(&more, "%s, W/\"%s\"", s, d.text);
	CHECK(etag_matches(more.buf, &d));
	str_reset(&more);
	str_addf(&more, "%s, \"%s", s, d.text);
	CHECK(etag_matches(more.buf, &d) == (matches && !only_star(s)));
}

static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

static void check_mediatype(const char *s, size_t len)
{
	cleanup_str struct str bare = STR_INIT, dressed = STR_INIT;
	enum mediatype t = mediatype_parse(s, len), is = MEDIATYPE_OTHER, i;
	bool layer = false;
	size_t end = len && memchr(s, ';', len) ? (size_t)((const char *)memchr(s, ';', len) - s) : len, at = 0;

	while (at < end && (s[at] == ' ' || s[at] == '\t'))
		at++;
	while (end > at && (s[end - 1] == ' ' || s[end - 1] == '\t'))
		end--;
	str_add(&bare, s + at, end - at);
	for (i = MEDIATYPE_OCI_MANIFEST; i <= MEDIATYPE_DOCKER_LIST; i++) {
		if (strlen(bare.buf) == bare.len && strcasecmp(bare.buf, mediatype_text(i)) == 0)
			is = i;
	}
	CHECK(t == is);
	for (at = 0; at < ARRAY_LEN(layer_types); at++)
		layer = layer || (strlen(bare.buf) == bare.len && strcasecmp(bare.buf, layer_types[at]) == 0);
	CHECK(mediatype_nondistributable(s, len) == layer);
	CHECK(!layer || t == MEDIATYPE_OTHER);
	CHECK(!mediatype_text(MEDIATYPE_OTHER) && (t == MEDIATYPE_OTHER || mediatype_text(t)));
	str_addf(&dressed, " \t");
	str_add(&dressed, bare.buf, bare.len);
	str_puts(&dressed, " ; charset=utf-8;q=\"a;b\"");
	CHECK(mediatype_parse(dressed.buf, dressed.len) == t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 16384)
		return 0;
	text = xstrndup(size ? (const char *)data : "", size);  /* up to a NUL, if there is one */
	check_range(text);
	check_etag(text);
	check_mediatype(size ? (const char *)data : "", size);
	free(text);
	return 0;
}
