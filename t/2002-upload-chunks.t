#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Uploads in chunks: in order, out of order, malformed, chunked coding, empty.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;

sub finish_ok {
	my ($loc, $repo, $bytes, $title) = @_;
	my $r = $s->req('PUT', "$loc?digest=" . sha256($bytes));
	ok $r->status == 201 && $s->req('GET', "/v2/$repo/blobs/" . sha256($bytes))->body eq $bytes, $title
		or diag $r->status . ' ' . $r->body;
	return;
}

# in order, with Content-Range
my $loc = upload_start($s, 'c/order');
my $all = '';
for my $i (1 .. 40) {
	my $chunk = chr(64 + $i) x ($i * 37 % 101 + 1);
	my $r = $s->req('PATCH', $loc, headers => ['Content-Range' => length($all) . '-' . (length($all) + length($chunk) - 1)], body => $chunk);
	$all .= $chunk;
	is $r->status . ' ' . ($r->header('Range') // '') . ' ' . path_of($r->header('Location') // ''), '202 0-' . (length($all) - 1) . " $loc",
		"chunk $i of 40 in its place is taken";
}
finish_ok($loc, 'c/order', $all, 'forty chunks with Content-Range make the blob');

# in order, without
$loc = upload_start($s, 'c/order');
$all = '';
for my $i (1 .. 10) {
	$s->req('PATCH', $loc, body => "chunk $i;");
	$all .= "chunk $i;";
}
is upload_range($s, $loc), '0-' . (length($all) - 1), 'chunks without Content-Range are appended';
finish_ok($loc, 'c/order', $all, 'ten chunks without Content-Range make the blob');

# one byte
$loc = upload_start($s, 'c/order');
is $s->req('PATCH', $loc, body => 'x', headers => ['Content-Range' => '0-0'])->header('Range'), '0-0', 'after one byte the Range is 0-0';
is $s->req('PATCH', $loc, body => 'y', headers => ['Content-Range' => '1-1'])->header('Range'), '0-1', 'the second byte is at 1';
finish_ok($loc, 'c/order', 'xy', 'a blob of two chunks of one byte');

# empty PATCH
$loc = upload_start($s, 'c/empty');
for my $o ([body => ''], [body => '', chunked => 1], []) {
	my $r = $s->req('PATCH', $loc, @$o);
	is $r->status, 202, 'an empty PATCH is taken';
	is $r->header('Range'), '0-0', 'an empty PATCH leaves the Range at 0-0';
}
$s->req('PATCH', $loc, body => 'abc');
is $s->req('PATCH', $loc, body => '')->header('Range'), '0-2', 'an empty PATCH after bytes leaves the Range as it was';
finish_ok($loc, 'c/empty', 'abc', 'empty PATCHes add nothing');

# chunked coding
for my $size (1, 1000, 70_000, 1_500_000) {
	my $bytes = 'q' . random_bytes($size - 1);
	$loc = upload_start($s, 'c/coding');
	my $r = $s->req('PATCH', $loc, body => $bytes, chunked => 1);
	is $r->status . ' ' . ($r->header('Range') // ''), '202 0-' . ($size - 1), "a chunked PATCH of $size bytes is taken";
	finish_ok($loc, 'c/coding', $bytes, "a chunked PATCH of $size bytes makes the blob");
	$loc = upload_start($s, 'c/coding');
	$r = $s->req('PUT', "$loc?digest=" . sha256("p$bytes"), body => "p$bytes", chunked => 1);
	is $r->status, 201, "a chunked PUT of $size bytes and one makes a blob";
	$r = $s->req('POST', '/v2/c/coding/blobs/uploads/?digest=' . sha256("s$bytes"), body => "s$bytes", chunked => 1);
	is $r->status, 201, "a chunked single POST of $size bytes and one makes a blob";
	ok content_of(blob_file($s, sha256("s$bytes"))) eq "s$bytes", 'with its bytes';
}
$loc = upload_start($s, 'c/coding');
is $s->req('PATCH', $loc, body => 'abcde', chunked => 1, headers => ['Content-Range' => '0-4'])->header('Range'), '0-4', 'Content-Range with a chunked body that fits is taken';
is $s->req('PATCH', $loc, body => 'fgh', chunked => 1, headers => ['Content-Range' => '5-9'])->status, 416, 'Content-Range with a chunked body that is shorter is 416';
is upload_range($s, $loc), '0-4', 'which adds nothing';
finish_ok($loc, 'c/coding', 'abcde', 'and the upload goes on');

# refused for their place: 416 with Range and Location, the upload as it was
for my $m ('PATCH', 'PUT') {
	$loc = upload_start($s, "c/place");
	$s->req('PATCH', $loc, body => '0123456789');
	my ($uuid) = $loc =~ m{([^/]+)$};
	my $data = data_dir($s) . "/repositories/c/place/_uploads/$uuid/data";
	for my $c (['a gap', '11-13', 'abc'], ['a wide gap', '1000-1002', 'abc'], ['an overlap', '9-11', 'abc'], ['an overlap of all', '0-2', 'abc'],
		['a repetition', '0-9', '0123456789'], ['a body too short', '10-13', 'abc'], ['a body too long', '10-11', 'abc'],
		['a start beyond 32 bits', '4294967306-4294967308', 'abc'], ['an end beyond 64 bits less one', '10-18446744073709551614', 'abc']) {
		my ($what, $range, $body) = @$c;
		my $target = $m eq 'PUT' ? "$loc?digest=" . sha256("0123456789$body") : $loc;
		my $r = $s->req($m, $target, body => $body, headers => ['Content-Range' => $range]);
		error_is $r, 416, 'RANGE_INVALID', "$m with $what ($range) is 416 RANGE_INVALID";
		headers_are $r, { Range => '0-9', Location => $loc }, "the 416 to $m with $what says where the upload is and how far";
		is upload_range($s, $loc), '0-9', "$m with $what leaves the upload's size as it was";
		is content_of($data), '0123456789', "$m with $what leaves its bytes as they were";
	}
	finish_ok($loc, 'c/place', '0123456789', "after all these $m requests the upload is finished as ever");
}
$loc = upload_start($s, 'c/place');
my $r = $s->req('PATCH', $loc, body => 'abc', headers => ['Content-Range' => '1-3']);
error_is $r, 416, 'RANGE_INVALID', 'the first chunk not at 0 is 416';
headers_are $r, { Range => '0-0', Location => $loc }, 'the 416 of an empty upload has Range 0-0';
is $s->req('PATCH', $loc, body => 'abc', headers => ['Content-Range' => '0-2'])->status, 202, 'the client goes on at the right place';

# other forms
for my $m ('PATCH', 'PUT') {
	for my $good ('bytes 10-12/13', 'bytes 10-12/110', 'bytes=10-12', 'bytes 10-12', '10-12/13', '10-12/*', 'bytes 10-12/*', '10 - 12', 'Bytes=10-12') {
		$loc = upload_start($s, 'c/form');
		$s->req('PATCH', $loc, body => '0123456789');
		my $r = $s->req($m, $m eq 'PUT' ? "$loc?digest=" . sha256('0123456789abc') : $loc, body => 'abc', headers => ['Content-Range' => $good]);
		is $r->status, $m eq 'PUT' ? 201 : 202, "$m with Content-Range: $good is understood";
		is upload_range($s, $loc), '0-12', 'and the chunk is appended' if $m eq 'PATCH';
		is $s->req('PATCH', $loc, body => 'abc', headers => ['Content-Range' => $good])->status, $m eq 'PUT' ? 404 : 416, 'once';
		$s->req('DELETE', $loc);
	}
	$loc = upload_start($s, 'c/form');
	$s->req('PATCH', $loc, body => '0123456789');
	for my $bad ('10', '10-', '-12', '-', 'abc', '12-10', '10-12,13-15', '+10-12', '10--12', '0xa-0xc', '1e1-12', 'bytes */13', 'octets 10-12', '10-12/12', '10-12/x', "10\x{2013}12") {
		my $h = $bad;
		utf8::encode($h);
		my $target = $m eq 'PUT' ? "$loc?digest=" . sha256('0123456789abc') : $loc;
		for my $how ([], [chunked => 1]) {
			$r = $s->req($m, $target, body => do { my $i = 0; @$how ? sub { $i++ ? '' : 'abc' } : 'abc' }, headers => ['Content-Range' => $h], @$how);
			error_is $r, 416, 'RANGE_INVALID', "$m with Content-Range: $h is 416 RANGE_INVALID";
			headers_are $r, { Range => '0-9', Location => $loc }, 'with which a client can go on';
		}
		is upload_range($s, $loc), '0-9', "$m with Content-Range: $h leaves the upload as it was";
	}
	is $s->req('PATCH', $loc, body => '', headers => ['Content-Range' => ''])->status, 202, 'an empty one says nothing';
	finish_ok($loc, 'c/form', '0123456789', "after all these $m requests the upload is finished as ever");
}

# on PUT
$loc = upload_start($s, 'c/put');
$s->req('PATCH', $loc, body => '0123456789');
$r = $s->req('PUT', "$loc?digest=" . sha256('0123456789abc'), body => 'abc', headers => ['Content-Range' => '10-12']);
is $r->status, 201, 'the last chunk on PUT in its place is taken';
is $s->req('GET', '/v2/c/put/blobs/' . sha256('0123456789abc'))->body, '0123456789abc', 'with its bytes at the end';
for my $range ('5-9', 'nonsense', '10-12') {
	$loc = upload_start($s, 'c/put');
	$s->req('PATCH', $loc, body => "x$range");
	$r = $s->req('PUT', "$loc?digest=" . sha256("x$range"), headers => ['Content-Range' => $range]);
	is $r->status, 201, "PUT without a body ignores Content-Range: $range";
}
is_deeply [uploads_of($s, 'c/put')], [], 'no upload is left';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
