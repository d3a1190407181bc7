#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Uploads: how far it is, cancel, wrong digests, uploads that are not there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;

# status
my $loc = upload_start($s, 'u/app');
my ($uuid) = $loc =~ m{([^/]+)$};
for my $c (['', '0-0'], ['a', '0-0'], ['b', '0-1'], ['c' x 100, '0-101']) {
	$s->req('PATCH', $loc, body => $c->[0]) if length $c->[0];
	for my $m ('GET', 'HEAD') {
		my $r = $s->req($m, $loc);
		is $r->status, 204, "$m of an upload is 204";
		headers_are $r, { Location => $loc, Range => $c->[1], 'Docker-Upload-UUID' => $uuid, 'Docker-Distribution-Api-Version' => 'registry/2.0',
			'X-Content-Type-Options' => 'nosniff', 'Content-Length' => undef }, "$m of an upload has Location, UUID and Range $c->[1]";
		is bytes_after_head($s, $m, $loc), '', "$m of an upload has no body";
	}
}

# cancel
my $r = $s->req('DELETE', $loc);
is $r->status, 204, 'DELETE of an upload is 204, with delete switched off';
is common_fault($r), '', 'DELETE of an upload carries the common headers';
is_deeply [uploads_of($s, 'u/app')], [], 'nothing of a cancelled upload is left';
is leftovers($s), '', 'nor in body, tmp and trash';
ok !-e data_dir($s) . '/repositories/u/app/_layers', 'a cancelled upload makes no repository';
for my $m (qw(GET PATCH PUT DELETE)) {
	error_is $s->req($m, $m eq 'PUT' ? "$loc?digest=" . sha256('x') : $loc, $m =~ /^P/ ? (body => 'x') : ()), 404, 'BLOB_UPLOAD_UNKNOWN',
		"$m of a cancelled upload is 404 BLOB_UPLOAD_UNKNOWN";
}
is_deeply [uploads_of($s, 'u/app')], [], 'and makes none';

# not there
my $mine = upload_start($s, 'u/mine');
$s->req('PATCH', $mine, body => 'mine');
my ($id) = $mine =~ m{([^/]+)$};
upload_start($s, 'u/theirs');
my $before = $s->tree_digest;
for my $c (['an unknown uuid', '/v2/u/mine/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd'],
	['an uuid of another repository', "/v2/u/theirs/blobs/uploads/$id"], ['an uuid of a repository above', "/v2/u/blobs/uploads/$id"],
	['an uuid of a repository that is not there', "/v2/u/none/blobs/uploads/$id"],
	['no uuid at all', '/v2/u/mine/blobs/uploads/abc'], ['an uuid in capitals', '/v2/u/mine/blobs/uploads/' . uc $id],
	['an uuid cut short', '/v2/u/mine/blobs/uploads/' . substr $id, 0, 35], ['an uuid with more', "/v2/u/mine/blobs/uploads/${id}0"],
	['zeros', '/v2/u/mine/blobs/uploads/00000000-0000-0000-0000-000000000000']) {
	my ($what, $p) = @$c;
	for my $m (qw(GET PATCH PUT DELETE)) {
		error_is $s->req($m, $m eq 'PUT' ? "$p?digest=" . sha256('x') : $p, $m =~ /^P/ ? (body => 'x') : ()), 404, 'BLOB_UPLOAD_UNKNOWN',
			"$m of $what is 404 BLOB_UPLOAD_UNKNOWN";
	}
	is $s->req('HEAD', $p)->status, 404, "HEAD of $what is 404";
}
is $s->tree_digest, $before, 'none of these changes anything on disk';
is upload_range($s, $mine), '0-3', 'the upload that was meant stays as it was';

# an upload to an unknown uuid is refused before its body has come
my $sock = $s->sock;
my $bogus = '/v2/u/mine/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd';
syswrite $sock, "PATCH $bogus HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\nContent-Type: application/octet-stream\r\n\r\n";
my $early = eval { read_response($sock) };
error_is $early, 404, 'BLOB_UPLOAD_UNKNOWN', 'a PATCH of 1 GiB to an unknown upload is answered before a byte of the body is sent' if $early;
ok $early, 'the answer does not wait for the body';
close $sock;

# digest missing or malformed: refused, and kept
my $n = 4;
for my $q ('', '?', '?digest', '?digest=', '?digest=abc', '?digest=sha256:abc', '?digest=md5:' . 'a' x 32, '?digest=SHA256:' . 'a' x 64, '?digest=sha256:' . 'A' x 64,
	'?digest=sha256:' . 'a' x 65, '?digest=sha512:' . 'a' x 127, '?digest=sha512:' . 'A' x 128, '?digest=sha256%253A' . 'a' x 64, '?Digest=' . sha256('mine'), '?digest=&digest=' . sha256('mine'),
	'?digest=' . sha256('mine') . '%00') {
	my $short = $q =~ s/([aA0-9a-f])\1{20,}|[0-9a-f]{60,}/.../gr;
	error_is $s->req('PUT', "$mine$q"), 400, 'DIGEST_INVALID', "PUT$short is 400 DIGEST_INVALID";
	error_is $s->req('PUT', "$mine$q", body => 'more'), 400, 'DIGEST_INVALID', "PUT$short with a body is 400 DIGEST_INVALID";
	is upload_range($s, $mine), '0-3', "PUT$short keeps the upload as it was";
}
is $s->req('PUT', "$mine?digest=" . sha256('mine'))->status, 201, 'and it is finished with the right one';

# the wrong digest ends it
for my $c (['an empty PUT', ''], ['a last chunk', 'last']) {
	my ($what, $body) = @$c;
	my $up = upload_start($s, 'u/wrong');
	$s->req('PATCH', $up, body => "bytes of $what");
	$r = $s->req('PUT', "$up?digest=" . sha256('something else'), length $body ? (body => $body) : ());
	error_is $r, 400, 'DIGEST_INVALID', "$what with the wrong digest is 400 DIGEST_INVALID";
	error_is $s->req('GET', $up), 404, 'BLOB_UPLOAD_UNKNOWN', "$what with the wrong digest ends the upload";
	is_deeply [uploads_of($s, 'u/wrong')], [], "$what with the wrong digest leaves no upload";
	ok !-e blob_file($s, sha256("bytes of $what$body")), "$what with the wrong digest stores nothing under the right one";
	ok !-e blob_file($s, sha256('something else')), "$what with the wrong digest stores nothing under the wrong one";
	is leftovers($s), '', "$what with the wrong digest leaves nothing in body, tmp and trash";
}
ok !-e data_dir($s) . '/repositories/u/wrong/_layers', 'wrong digests make no repository';
my $up = upload_start($s, 'u/wrong');
error_is $s->req('PUT', "$up?digest=" . EMPTY_DIGEST, body => 'not empty'), 400, 'DIGEST_INVALID', 'a body under the digest of nothing is 400';
$up = upload_start($s, 'u/wrong');
error_is $s->req('PUT', "$up?digest=" . sha256('not empty')), 400, 'DIGEST_INVALID', 'nothing under the digest of a body is 400';

# a wrong digest does not harm a blob of that digest which is there
my $d = $s->push_blob('u/there', 'there already');
$up = upload_start($s, 'u/there');
error_is $s->req('PUT', "$up?digest=$d", body => 'not that one'), 400, 'DIGEST_INVALID', 'other bytes for a blob that is there are 400';
is $s->req('GET', "/v2/u/there/blobs/$d")->body, 'there already', 'the blob that is there stays as it is';
$up = upload_start($s, 'u/else');
error_is $s->req('PUT', "$up?digest=$d", body => 'same length!!'), 400, 'DIGEST_INVALID', 'other bytes of the same length are 400';
error_is $s->req('GET', "/v2/u/else/blobs/$d"), 404, 'BLOB_UNKNOWN', 'and give no access to the blob';

# what the catalog says of uploads alone
is_deeply $s->req('GET', '/v2/_catalog')->json->{repositories}, ['u/mine', 'u/there'], 'uploads under way, cancelled or failed list no repository';

done_testing;
