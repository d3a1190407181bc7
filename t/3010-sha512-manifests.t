#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Manifests by sha512: pushed, tagged, referred to, deleted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my $config = '{"os":"linux"}';
is $s->req('POST', '/v2/x/app/blobs/uploads/?digest=' . sha512($config), body => $config)->status, 201, 'a config is pushed by sha512';
sub d512 { my ($type, $bytes) = @_; return sprintf '{"mediaType":"%s","digest":"%s","size":%d}', $type, sha512($bytes), length $bytes }
sub put { my ($ref, $text, $type, $repo) = @_; $repo //= 'x/app'; return $s->req('PUT', "/v2/$repo/manifests/$ref", headers => ['Content-Type' => $type // OCI_MANIFEST], body => $text) }
my $m = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . d512(OCI_CONFIG, $config) . ',"layers":[]}';
my $d = sha512($m);

my $r = put($d, $m);
is $r->status, 201, 'a manifest is pushed by sha512' or diag $r->body;
headers_are $r, { Location => "/v2/x/app/manifests/$d", 'Docker-Content-Digest' => $d }, 'Location and digest are sha512';
is content_of(blob_file($s, $d)), $m, 'the bytes lie under sha512';
is content_of(revision_link($s, 'x/app', $d)), $d, 'the link of the revision says sha512';
ok !-e blob_file($s, sha256($m)), 'nothing lies under sha256';
for my $how ('GET', 'HEAD') {
	$r = $s->req($how, "/v2/x/app/manifests/$d");
	is $r->status, 200, "$how by sha512 is 200";
	headers_are $r, { 'Content-Type' => OCI_MANIFEST, 'Content-Length' => length $m, 'Docker-Content-Digest' => $d, Etag => qq("$d") }, "$how by sha512 has type, length, digest and ETag";
	is $r->body, $m, "$how by sha512 gives the bytes" if $how eq 'GET';
	is $s->req($how, "/v2/x/app/manifests/$d", headers => ['If-None-Match' => qq("$d")])->status, 304, "$how with If-None-Match is 304";
}
error_is $s->req('GET', '/v2/x/app/manifests/' . sha256($m)), 404, 'MANIFEST_UNKNOWN', 'by sha256 it is not known';
error_is put(sha512('other'), $m), 400, 'DIGEST_INVALID', 'other bytes are 400 DIGEST_INVALID';
error_is put(sha512($m) =~ s/.\z//r, $m), 400, 'DIGEST_INVALID', 'a digest that is too short is 400 DIGEST_INVALID';
error_is put(sha512('x'), "$m "), 400, 'DIGEST_INVALID', 'and stores nothing';

# tags
is put("$d?tag=one&tag=two", $m)->status, 201, 'it is tagged by parameter';
for my $t ('one', 'two') {
	$r = $s->req('GET', "/v2/x/app/manifests/$t");
	is $r->header('Docker-Content-Digest'), $d, "tag $t gives the sha512 digest";
	is $r->body, $m, "tag $t gives the bytes";
	is content_of(tag_link($s, 'x/app', $t)), $d, "the link of tag $t says sha512";
}
is put('three', $m)->header('Docker-Content-Digest'), sha256($m), 'the same pushed by tag is stored by sha256';
is_deeply [map { $s->req('HEAD', "/v2/x/app/manifests/$_")->header('Docker-Content-Digest') } 'one', 'three'], [$d, sha256($m)], 'each tag keeps the digest that it was given';
is put('two', $m)->status, 201, 'a tag moves from sha512 to sha256 of the same bytes';
is $s->req('HEAD', '/v2/x/app/manifests/two')->header('Docker-Content-Digest'), sha256($m), 'and says so';
error_is $s->req('PUT', '/v2/x/app/manifests/one', headers => ['Content-Type' => OCI_MANIFEST, 'If-Match' => '"' . sha256($m) . '"'], body => $m), 412, 'DENIED', 'If-Match with the sha256 of a tag that says sha512 is 412';
is $s->req('PUT', "/v2/x/app/manifests/$d?tag=one", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status, 201, 'a tag that is there is set again';

# references by sha512
my $index = index_of(OCI_INDEX, d512(OCI_MANIFEST, $m));
is put('index', $index, OCI_INDEX)->status, 201, 'an index names its child by sha512';
my $other = index_of(OCI_INDEX, d512(OCI_MANIFEST, 'none'));
error_is put('other', $other, OCI_INDEX), 400, 'MANIFEST_BLOB_UNKNOWN', 'a child that is not here by sha512 is 400 MANIFEST_BLOB_UNKNOWN', qr/\Q${\sha512('none')}/;
my $layered = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, $config) . ',"layers":[]}';
error_is put('layered', $layered), 400, 'MANIFEST_BLOB_UNKNOWN', 'a config that is here by sha512 alone is not here by sha256';
for my $c (['sha512 with 127 digits', 'sha512:' . 'a' x 127], ['sha512 with 64 digits', 'sha512:' . 'a' x 64], ['sha384', 'sha384:' . 'a' x 96]) {
	error_is put('bad', $m =~ s/sha512:\w+/$c->[1]/r), 400, 'MANIFEST_INVALID', "a descriptor with $c->[0] is 400 MANIFEST_INVALID";
}

# delete
is $s->req('DELETE', "/v2/x/app/manifests/$d")->status, 202, 'it is deleted by sha512';
for my $ref ($d, 'one') {
	error_is $s->req('GET', "/v2/x/app/manifests/$ref"), 404, 'MANIFEST_UNKNOWN', 'it is gone by ' . substr $ref, 0, 6;
}
is $s->req('GET', "/v2/x/app/manifests/$_")->body, $m, 'the same by sha256 stays: ' . substr $_, 0, 6 for 'two', 'three', sha256($m);
is $s->req('GET', '/v2/x/app/tags/list')->body, qq({"name":"x/app","tags":["index","three","two"]}\n), 'its tags are gone from the list, and no other';
error_is $s->req('DELETE', "/v2/x/app/manifests/$d"), 404, 'MANIFEST_UNKNOWN', 'a second delete is 404';
is put($d, $m)->status, 201, 'it is pushed again';
is $s->req('GET', "/v2/x/app/manifests/$d")->body, $m, 'and is there';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

# 2.8 writes such links: sha512 by name, sha256 inside
$s->stop_workers;
lay_manifest($s, 'x/old', $m, 'plain');
lay_file(revision_link($s, 'x/old', $d), sha256($m));
$s->start_workers;
$r = $s->req('GET', "/v2/x/old/manifests/$d");
ok $r->status == 200 && $r->body eq $m || $r->status == 404, 'a sha512 link that holds a sha256 digest is followed or not known, but no fault' or diag $r->status;
is $s->req('GET', '/v2/x/old/manifests/plain')->body, $m, 'and harms nothing else';

done_testing;
