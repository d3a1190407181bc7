#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Blobs by sha512, in by every way and out again; the hint digest-algorithm.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my $n = 0;

sub stored_ok {
	my ($r, $bytes, $title, $repo) = @_;
	my $d = sha512($bytes);
	$repo //= 's/app';
	is $r->status, 201, "$title: 201" or diag $r->body;
	headers_are $r, { Location => "/v2/$repo/blobs/$d", 'Docker-Content-Digest' => $d, 'Content-Length' => 0 }, "$title: Location and digest are sha512";
	ok +(content_of(blob_file($s, $d)) // '') eq $bytes, "$title: the bytes lie under sha512";
	is content_of(layer_link($s, $repo, $d)), $d, "$title: the link says sha512";
	ok !-e blob_file($s, sha256($bytes)), "$title: nothing lies under sha256";
	for my $m (qw(GET HEAD)) {
		my $g = $s->req($m, "/v2/$repo/blobs/$d");
		is $g->status, 200, "$title: $m is 200";
		headers_are $g, { 'Docker-Content-Digest' => $d, 'Content-Length' => length $bytes, Etag => qq("$d"), 'Accept-Ranges' => 'bytes', 'Content-Type' => 'application/octet-stream' },
			"$title: $m has digest, length and ETag";
		ok $g->body eq $bytes, "$title: the bytes come back" if $m eq 'GET';
	}
	return $d;
}

# every way in; the hint says the same, another algorithm, or nothing: the digest at the end decides
for my $hint ('', '?digest-algorithm=sha512', '?digest-algorithm=sha256') {
	my $how = $hint ? "with $hint" : 'without a hint';
	my $bytes = 'POST and PUT ' . $n++;
	my $loc = path_of($s->req('POST', "/v2/s/app/blobs/uploads/$hint")->header('Location'));
	unlike $loc, qr/[?&]/, "the Location carries no other query ($how)";
	stored_ok($s->req('PUT', "$loc?digest=" . sha512($bytes), body => $bytes), $bytes, "POST and PUT $how");

	$bytes = 'chunks ' . $n++ . ' ' . 'x' x 1000;
	$loc = path_of($s->req('POST', "/v2/s/app/blobs/uploads/$hint")->header('Location'));
	for my $off (0, 400) {
		my $end = $off + 399;
		my $r = $s->req('PATCH', $loc, body => substr($bytes, $off, 400), headers => ['Content-Range' => "$off-$end"]);
		is $r->status, 202, "a chunk is taken ($how)";
		headers_are $r, { Location => $loc, Range => "0-$end" }, "with the same Location and the Range ($how)";
	}
	stored_ok($s->req('PUT', "$loc?digest=" . sha512($bytes), body => substr($bytes, 800)), $bytes, "chunks and a last one on PUT $how");

	$bytes = 'stream ' . $n++ . ' ' . 'y' x 300_000;
	$loc = path_of($s->req('POST', "/v2/s/app/blobs/uploads/$hint")->header('Location'));
	is $s->req('PATCH', $loc, body => $bytes, chunked => 1)->header('Range'), '0-' . (length($bytes) - 1), "a stream without a length is taken ($how)";
	stored_ok($s->req('PUT', "$loc?digest=" . sha512($bytes)), $bytes, "a stream and an empty PUT $how");

	$bytes = 'single ' . $n++;
	my $q = $hint ? "$hint&" : '?';
	stored_ok($s->req('POST', "/v2/s/app/blobs/uploads/${q}digest=" . sha512($bytes), body => $bytes), $bytes, "a single POST $how");
}
my $d256 = sha256('short');
my $loc = path_of($s->req('POST', '/v2/s/app/blobs/uploads/?digest-algorithm=sha512')->header('Location'));
is $s->req('PUT', "$loc?digest=$d256", body => 'short')->header('Docker-Content-Digest'), $d256, 'an upload with the hint sha512 that ends with a sha256 digest is stored under sha256';
stored_ok($s->req('POST', '/v2/s/app/blobs/uploads/?digest=' . sha512('')), '', 'a single POST without a body under the sha512 of nothing');
my $big = random_bytes(5 << 20);
$loc = upload_start($s, 's/app');
my $big_d = stored_ok($s->req('PUT', "$loc?digest=" . sha512($big), body => $big), $big, '5 MiB');

# the same bytes under both algorithms are two blobs
$s->push_blob('s/both', 'both');
is $s->req('GET', '/v2/s/both/blobs/' . sha512('both'))->status, 404, 'a blob that was pushed by sha256 is not known by sha512';
$s->req('POST', '/v2/s/both/blobs/uploads/?digest=' . sha512('both'), body => 'both');
is $s->req('GET', "/v2/s/both/blobs/$_")->body, 'both', 'it is there by ' . substr($_, 0, 6) . ' once it is pushed so' for sha256('both'), sha512('both');

# ranges and conditions
my $r = $s->req('GET', "/v2/s/app/blobs/$big_d", headers => [Range => 'bytes=1000000-1000009']);
is $r->status, 206, 'a range of a sha512 blob is 206';
ok $r->body eq substr($big, 1_000_000, 10), 'with its bytes';
headers_are $r, { 'Content-Range' => 'bytes 1000000-1000009/' . length $big, 'Docker-Content-Digest' => $big_d, Etag => qq("$big_d") }, 'and its headers';
error_is $s->req('GET', "/v2/s/app/blobs/$big_d", headers => [Range => 'bytes=' . length($big) . '-']), 416, 'RANGE_INVALID', 'a range past the end of a sha512 blob is 416';
is $s->req('GET', "/v2/s/app/blobs/$big_d", headers => ['If-None-Match' => qq("$big_d")])->status, 304, 'If-None-Match with the sha512 digest is 304';

# mounts
my $before = stored_ok($s->req('POST', '/v2/s/src/blobs/uploads/?digest=' . sha512('mount me'), body => 'mount me'), 'mount me', 'the blob to mount', 's/src');
for my $c (['from', "mount=$before&from=s/src", 's/to1'], ['from, encoded', 'mount=' . $before =~ s/:/%3A/r . '&from=s%2Fsrc', 's/to2'], ['no from', "mount=$before", 's/to3'],
	['a hint for the other algorithm', "mount=$before&from=s/src&digest-algorithm=sha256", 's/to4'], ['itself', "mount=$before&from=s/src", 's/src']) {
	$r = $s->req('POST', "/v2/$c->[2]/blobs/uploads/?$c->[1]");
	is $r->status, 201, "a sha512 blob is mounted with $c->[0]";
	headers_are $r, { Location => "/v2/$c->[2]/blobs/$before", 'Docker-Content-Digest' => $before }, "with Location and digest ($c->[0])";
	is $s->req('GET', "/v2/$c->[2]/blobs/$before")->body, 'mount me', "and is there ($c->[0])";
}
is $s->req('POST', "/v2/s/none/blobs/uploads/?mount=$before&from=s/app")->status, 202, 'a mount from a repository that lacks the sha512 blob is an ordinary upload';
is $s->req('POST', '/v2/s/none/blobs/uploads/?mount=' . sha256('mount me') . '&from=s/src')->status, 202, 'the sha256 of a blob that was pushed by sha512 mounts nothing';

# wrong bytes
for my $c (['a PUT', sub { my $l = upload_start($s, 's/wrong'); $s->req('PUT', "$l?digest=" . sha512('right'), body => 'wrong') }],
	['a PUT after a PATCH', sub { my $l = upload_start($s, 's/wrong'); $s->req('PATCH', $l, body => 'wrong'); $s->req('PUT', "$l?digest=" . sha512('right')) }],
	['a single POST', sub { $s->req('POST', '/v2/s/wrong/blobs/uploads/?digest=' . sha512('right'), body => 'wrong') }]) {
	error_is $c->[1]->(), 400, 'DIGEST_INVALID', "$c->[0] with bytes of another sha512 is 400 DIGEST_INVALID";
	ok !-e blob_file($s, $_), "$c->[0] with the wrong bytes stores nothing" for sha512('right'), sha512('wrong');
	is_deeply [uploads_of($s, 's/wrong')], [], "$c->[0] with the wrong bytes leaves no upload";
}
$loc = upload_start($s, 's/wrong');
error_is $s->req('PUT', "$loc?digest=sha512:" . substr(sha256('x'), 7), body => 'x'), 400, 'DIGEST_INVALID', 'a sha256 hash that calls itself sha512 is 400 DIGEST_INVALID';
is upload_range($s, $loc), '0-0', 'which is malformed, so that the upload stays';

# an algorithm that is not known
for my $a ('md5', 'SHA512', 'sha384', '', 'sha512%20', 'blake3', 'sha256%00') {
	$before = $s->tree_digest;
	for my $q ("digest-algorithm=$a", "digest-algorithm=$a&digest=" . sha256('hint')) {
		error_is $s->req('POST', "/v2/s/hint/blobs/uploads/?$q", $q =~ /digest=/ ? (body => 'hint') : ()), 400, undef, 'POST with ' . substr($q, 0, 40) . ' is 400';
	}
	is $s->tree_digest, $before, "digest-algorithm=$a changes nothing on disk";
}

# delete
for my $d ($big_d, sha512('both')) {
	my $repo = $d eq $big_d ? 's/app' : 's/both';
	is $s->req('DELETE', "/v2/$repo/blobs/$d")->status, 202, 'a sha512 blob is deleted';
	error_is $s->req('GET', "/v2/$repo/blobs/$d"), 404, 'BLOB_UNKNOWN', 'and gone';
	error_is $s->req('DELETE', "/v2/$repo/blobs/$d"), 404, 'BLOB_UNKNOWN', 'a second delete is 404';
}
is $s->req('GET', '/v2/s/both/blobs/' . sha256('both'))->body, 'both', 'its twin by sha256 stays';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
