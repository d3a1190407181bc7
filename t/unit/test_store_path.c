/* SPDX-License-Identifier: Apache-2.0 */
/* store_path: the layout, as distribution's registries have it. */

#include "store/store_path.h"

#include <string.h>

#include "tap.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define REPO "docker/registry/v2/repositories/team/app"

static struct str p = STR_INIT;
static struct name n;
static struct tag t;
static struct uuid u;
static struct digest d;

static void test_blobs(void)
{
	path_blobs(&p, DIGEST_SHA512);
	is_str(p.buf, "docker/registry/v2/blobs/sha512", "the blobs of an algorithm");
	path_blob_dir(&p, &d);
	is_str(p.buf, "docker/registry/v2/blobs/sha256/ba/" HEX, "a blob's directory");
	path_blob(&p, &d);
	is_str(p.buf, "docker/registry/v2/blobs/sha256/ba/" HEX "/data", "a blob");
	path_blob_below(&p, &d);
	is_str(p.buf, "sha256/ba/" HEX "/data", "what follows the directory of all of them");
}

static void test_repository(void)
{
	path_repository(&p, &n);
	is_str(p.buf, REPO, "a repository");
	path_layers_dir(&p, &n);
	is_str(p.buf, REPO "/_layers", "its layers");
	path_layers(&p, &n, DIGEST_SHA256);
	is_str(p.buf, REPO "/_layers/sha256", "those of an algorithm");
	path_layer(&p, &n, &d);
	is_str(p.buf, REPO "/_layers/sha256/" HEX, "a layer");
	path_manifests(&p, &n);
	is_str(p.buf, REPO "/_manifests", "its manifests");
	path_revisions(&p, &n, DIGEST_SHA512);
	is_str(p.buf, REPO "/_manifests/revisions/sha512", "the revisions of an algorithm");
	path_revision(&p, &n, &d);
	is_str(p.buf, REPO "/_manifests/revisions/sha256/" HEX, "a revision");
	path_tags(&p, &n);
	is_str(p.buf, REPO "/_manifests/tags", "its tags");
	path_tag(&p, &n, &t);
	is_str(p.buf, REPO "/_manifests/tags/v1", "a tag");
	path_tag_current(&p, &n, &t);
	is_str(p.buf, REPO "/_manifests/tags/v1/current/link", "what it points to");
	path_tag_index(&p, REPO "/_manifests/tags/v1", &d);
	is_str(p.buf, REPO "/_manifests/tags/v1/index/sha256/" HEX, "what it has pointed to");
	path_uploads(&p, &n);
	is_str(p.buf, REPO "/_uploads", "its uploads");
	path_upload(&p, &n, &u);
	is_str(p.buf, REPO "/_uploads/01234567-89ab-4cde-8f01-23456789abcd", "an upload");
	path_upload_file(&p, &n, &u, "data");
	is_str(p.buf, REPO "/_uploads/01234567-89ab-4cde-8f01-23456789abcd/data", "a file of it");
	is_int(path_repository_above(&n), 2, "directories above: team and repositories");
}

static void test_own(void)
{
	path_index_file(&p, &n, "_tags");
	is_str(p.buf, "berth/index/team/app/_tags", "a file of it");
	path_index_referrers(&p, &n, &d);
	is_str(p.buf, "berth/index/team/app/_referrers/sha256/" HEX, "what refers to a manifest");
	path_repository_lock(&p, 10);
	is_str(p.buf, "berth/locks/repository/0a", "a stripe of locks");
	path_quota_lock(&p, 0xf0);
	is_str(p.buf, "berth/locks/quota/f0", "and of those of quotas");
}

int main(void)
{
	if (name_parse(&n, "team/app", 8) < 0 || tag_parse(&t, "v1", 2) < 0 || digest_parse(&d, "sha256:" HEX, 71) < 0 ||
	    uuid_parse(&u, "01234567-89ab-4cde-8f01-23456789abcd", UUID_LEN) < 0)
		return 1;
	test_blobs();
	test_repository();
	test_own();
	str_release(&p);
	return done_testing();
}
