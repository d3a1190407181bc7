#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Manifests that another registry left on the disk, whole and broken.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
$s->stop_workers;
my $data = data_dir($s);
my $image = image_of(OCI_MANIFEST, '{}', 'layer');
lay_blob($s, 'old/app', $_) for '{}', 'layer';
my $d = lay_manifest($s, 'old/app', $image, 'good');

# without an inner mediaType the members decide
my $bare = '{"schemaVersion":2,"config":' . desc(OCI_CONFIG, '{}') . ',"layers":[]}';
my $bare_d = lay_manifest($s, 'old/app', $bare, 'bare');
my $bare_index = '{"schemaVersion":2,"manifests":[]}';
my $bare_index_d = lay_manifest($s, 'old/app', $bare_index, 'bare-index');
my $list = index_of(DOCKER_LIST);
lay_manifest($s, 'old/app', $list, 'list');
my $schema1 = '{"schemaVersion":1,"name":"old/app","tag":"one","architecture":"amd64","fsLayers":[],"history":[],"signatures":[]}';
my $schema1_d = lay_manifest($s, 'old/app', $schema1, 'one');

# broken ones
lay_file(tag_link($s, 'old/app', 'empty'), '');
lay_file(tag_link($s, 'old/app', 'garbage'), "not a digest\n");
lay_file(tag_link($s, 'old/app', 'long'), 'sha256:' . 'a' x 5000);
lay_file(tag_link($s, 'old/app', 'dotdot'), 'sha256:../../../../../../etc/passwd');
lay_tag($s, 'old/app', 'dangling', sha256('gone'));
make_path("$data/repositories/old/app/_manifests/tags/nocurrent");
make_path("$data/repositories/old/app/_manifests/tags/nolink/current");
make_path("$data/repositories/old/app/_manifests/tags/dirlink/current/link");
my $nolink = sha256('no link');
make_path($s->root . "/docker/registry/v2/repositories/old/app/_manifests/revisions/sha256/" . substr $nolink, 7);
my $emptyrev = lay_blob($s, 'old/app', 'empty revision');
lay_file(revision_link($s, 'old/app', $emptyrev), '');
my $nodata = sha256('no data');
lay_file(revision_link($s, 'old/app', $nodata), $nodata);
lay_tag($s, 'old/app', 'nodata', $nodata);
my $big = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"annotations":{"a":"' . 'x' x (5 << 20) . '"}}';
my $big_d = lay_manifest($s, 'old/app', $big, 'big');
my $other = lay_manifest($s, 'old/other', image_of(OCI_MANIFEST, '{"other":1}'), 'theirs');
$s->start_workers;

for my $c (['good', $d, $image, OCI_MANIFEST], ['bare', $bare_d, $bare, OCI_MANIFEST], ['bare-index', $bare_index_d, $bare_index, OCI_INDEX],
	['list', sha256($list), $list, DOCKER_LIST]) {
	my ($tag, $digest, $bytes, $type) = @$c;
	for my $ref ($tag, $digest) {
		my $r = $s->req('GET', "/v2/old/app/manifests/$ref");
		is $r->body, $bytes, "a manifest laid there by another registry ($tag) is served as it is";
		headers_are $r, { 'Content-Type' => $type, 'Docker-Content-Digest' => $digest, 'Etag' => qq("$digest") },
			"its type follows from its bytes ($tag)";
	}
}
for my $ref ('one', $schema1_d) {
	my $r = $s->req('GET', "/v2/old/app/manifests/$ref", headers => [Accept => OCI_MANIFEST]);
	is $r->status, 200, 'a stored schema 1 manifest is served';
	is $r->body, $schema1, 'a stored schema 1 manifest is served as it is';
	is $r->header('Docker-Content-Digest'), $schema1_d, 'a stored schema 1 manifest has its digest';
}

for my $t (qw(empty garbage long dotdot dangling nocurrent nolink dirlink nodata)) {
	error_is $s->req('GET', "/v2/old/app/manifests/$t"), 404, 'MANIFEST_UNKNOWN', "a broken tag ($t) is 404, not 500";
	is $s->req('HEAD', "/v2/old/app/manifests/$t")->status, 404, "HEAD of a broken tag ($t) is 404";
}
for my $c (['without link', $nolink], ['whose link is empty', $emptyrev], ['without data', $nodata]) {
	error_is $s->req('GET', "/v2/old/app/manifests/$c->[1]"), 404, 'MANIFEST_UNKNOWN', "a revision $c->[0] is 404, not 500";
}
error_is $s->req('GET', "/v2/old/app/manifests/$other"), 404, 'MANIFEST_UNKNOWN', 'a manifest of another repository is 404 by digest';

for my $ref ('big', $big_d) {
	my $r = $s->req('GET', "/v2/old/app/manifests/$ref");
	cmp_ok $r->status, '>=', 400, 'a manifest file over the limit is refused';
	ok $r->code, 'a manifest file over the limit is refused with the error JSON';
	cmp_ok length $r->body, '<', 2000, 'a manifest file over the limit is not sent';
}
is $s->req('GET', '/v2/old/app/manifests/good')->body, $image, 'none of the broken ones hides the good one';

done_testing;
