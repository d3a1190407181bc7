/* SPDX-License-Identifier: Apache-2.0 */
/* fsck: its pure parts, the words of the kinds, and the descriptors of stored manifests. */

#include "care/fsck.h"

#include <string.h>

#include "care/fsck_refs.h"
#include "tap.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static struct fsck_refs refs;

static int read_text(const char *text)
{
	fsck_refs_release(&refs);
	return fsck_refs_read(&refs, text, strlen(text));
}

static void test_kinds(void)
{
	int i, j, same = 0, unnamed = 0;

	for (i = 0; i < FSCK_KINDS; i++) {
		if (!fsck_kind_name((enum fsck_kind)i)) {
			unnamed++;
			continue;
		}
		for (j = 0; j < i; j++)
			same += strcmp(fsck_kind_name((enum fsck_kind)i), fsck_kind_name((enum fsck_kind)j)) == 0;
	}
	ok(unnamed == 0 && same == 0, "every kind has a name of its own");
}

static void test_text(void)
{
	cleanup_str struct str out = STR_INIT;

	fsck_add_text(&out, "a b/\xc3\xa4");
	is_str(out.buf, "a b/\xc3\xa4", "a name stays as it is");
	str_reset(&out);
	fsck_add_text(&out, "a\nb\\c\x1b[0m\x7f");
	is_str(out.buf, "a\\x0ab\\x5cc\\x1b[0m\\x7f", "but for what would break a line or command a terminal");
}

static void test_image(void)
{
	is_int(read_text("{\"config\":{\"mediaType\":\"x\",\"digest\":\"" A "\",\"size\":7},\"layers\":["
			 "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" B "\",\"size\":8},"
			 "{\"mediaType\":\"y\",\"digest\":\"" C "\",\"urls\":[\"http://x\"]},"
			 "{\"mediaType\":\"y\",\"digest\":\"" C "\",\"size\":2.5,\"urls\":[]}],"
			 "\"subject\":{\"digest\":\"" A "\"}}"), 1, "an image is read");
	is_int(refs.count, 4, "config and layers are its references, the subject is none");
	if (refs.count != 4)
		return;
	ok(refs.v[0].kind == FREF_CONFIG && refs.v[0].has_size && refs.v[0].size == 7 && !refs.v[0].optional,
	   "the config has to be there");
	ok(refs.v[1].optional && refs.v[2].optional, "a foreign layer and one with urls need not");
	ok(!refs.v[3].optional && !refs.v[3].has_size, "an empty list of urls is none, and a size that is no integer says nothing");
}

static void test_others(void)
{
	is_int(read_text("{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" A "\"},"
			 "{\"mediaType\":\"application/octet-stream\",\"digest\":\"" B "\"},{\"digest\":\"md5:x\"},7]}"), 1,
	       "an index is read");
	ok(refs.count == 2 && refs.v[0].kind == FREF_MANIFEST && refs.v[1].kind == FREF_OTHER,
	   "its manifests are told from its blobs; what names no digest is passed over");
	ok(read_text("{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"" A "\"}]}") == 1 && refs.count == 1 &&
	   refs.v[0].kind == FREF_LAYER, "schema 1 names layers");
	is_int(read_text("{}"), 1, "an object that names nothing is read");
	is_int(read_text("[]"), 0, "a list is no manifest");
	is_int(read_text("{\"a\":1"), 0, "nor is half an object");
	is_int(read_text(""), 0, "nor is nothing");
	fsck_refs_release(&refs);
}

int main(void)
{
	test_kinds();
	test_text();
	test_image();
	test_others();
	return done_testing();
}
