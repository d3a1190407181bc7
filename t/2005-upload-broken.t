#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Bodies that break off, and requests that meet on one upload.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 6);

# broken - a request whose connection is closed before its body has come
sub broken {
	my ($head, $body) = @_;
	my $sock = $s->sock;
	syswrite $sock, "$head\r\nHost: x\r\nContent-Type: application/octet-stream\r\n" or die;
	syswrite $sock, $body;
	sleep 0.1;
	close $sock;
	return;
}

my $part = 'p' x 50_000;
my $chunk = sprintf "%x\r\n%s\r\n", length $part, $part;
for my $c (
	['a body with a length', "Content-Length: 100000\r\n\r\n$part"],
	['a body one byte short', 'Content-Length: ' . (1 + length $part) . "\r\n\r\n$part"],
	['a body of which nothing came', "Content-Length: 100000\r\n\r\n"],
	['a chunked body without its end', "Transfer-Encoding: chunked\r\n\r\n$chunk"],
	['a chunked body broken off inside a chunk', "Transfer-Encoding: chunked\r\n\r\n$chunk" . substr $chunk, 0, 20_000],
	['a chunked body without its last empty line', "Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n"],
	['a body of 3 MB and more to come', "Content-Length: 9000000\r\n\r\n" . $part x 60]) {
	my ($what, $rest) = @$c;
	my $loc = upload_start($s, 'b/app');
	$s->req('PATCH', $loc, body => 'before');
	broken("PATCH $loc HTTP/1.1", $rest);
	is leftovers($s), '', "$what that breaks off in a PATCH leaves nothing in body, tmp and trash";
	is upload_range($s, $loc), '0-5', "$what that breaks off in a PATCH adds nothing";
	my $all = 'before';
	broken("PUT $loc?digest=" . sha256("before$part") . ' HTTP/1.1', $rest);
	is leftovers($s), '', "$what that breaks off in a PUT leaves nothing in body, tmp and trash";
	is upload_range($s, $loc), '0-5', "$what that breaks off in a PUT adds nothing and keeps the upload";
	broken('POST /v2/b/app/blobs/uploads/?digest=' . sha256($part) . ' HTTP/1.1', $rest);
	is leftovers($s), '', "$what that breaks off in a single POST leaves nothing in body, tmp and trash";
	ok !-e blob_file($s, sha256($part)), "$what that breaks off in a single POST stores nothing";
	my $r = $s->req('PUT', "$loc?digest=" . sha256('before and after'), body => ' and after');
	is $r->status, 201, "after $what the client goes on and finishes";
}
my $text = image_of(OCI_MANIFEST, 'before and after');
my $before = $s->tree_digest;
broken('PUT /v2/b/app/manifests/cut HTTP/1.1', 'Content-Length: ' . (10 + length $text) . "\r\n\r\n$text");
broken('PUT /v2/b/app/manifests/cut HTTP/1.1', "Transfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n%s\r\n", length $text, $text));
is leftovers($s), '', 'a manifest that breaks off leaves nothing in body, tmp and trash';
error_is $s->req('GET', '/v2/b/app/manifests/cut'), 404, 'MANIFEST_UNKNOWN', 'a manifest that breaks off is not stored, though its JSON was whole';
is $s->tree_digest, $before, 'and changes nothing on disk';
is_deeply [uploads_of($s, 'b/app')], [], 'no upload is left';

sub answered_with { my @request = @_; return patient { $s->req(@request) }->status }

# Two PATCHes at once
my $size = 3 << 20;
my @letter = ('A', 'B');
for my $round (1 .. 4) {
	my $loc = upload_start($s, 'b/two');
	my @status = run_parallel(2, sub {
		my ($i) = @_;
		return answered_with('PATCH', $loc, body => "$letter[$i]" x ($size + $i), chunked => $round & 1);
	});
	is "@status", '202 202', "two PATCHes at once are both taken (round $round)";
	my ($uuid) = $loc =~ m{([^/]+)$};
	my $got = content_of(data_dir($s) . "/repositories/b/two/_uploads/$uuid/data");
	ok $got eq 'A' x $size . 'B' x ($size + 1) || $got eq 'B' x ($size + 1) . 'A' x $size, "their bytes do not interleave (round $round)"
		or diag length $got;
	is upload_range($s, $loc), '0-' . (2 * $size), "the size is the sum of both (round $round)";
	is $s->req('PUT', "$loc?digest=" . sha256($got))->status, 201, "and the upload is finished (round $round)";
}

# Many at once, small: nothing is lost
my $loc = upload_start($s, 'b/many');
my @status = run_parallel(12, sub {
	my ($i) = @_;
	return join ' ', map { answered_with('PATCH', $loc, body => chr(65 + $i) x 1000) } 1 .. 5;
});
is_deeply \@status, [('202 202 202 202 202') x 12], 'sixty PATCHes by twelve clients at once are all taken';
my ($uuid) = $loc =~ m{([^/]+)$};
my $got = content_of(data_dir($s) . "/repositories/b/many/_uploads/$uuid/data");
is length $got, 60_000, 'no byte of them is lost or doubled';
ok !(grep { !/^(.)\1{999}$/ } unpack '(a1000)*', $got), 'each is whole';

# With Content-Range only one of several fits
for my $round (1 .. 3) {
	my $up = upload_start($s, 'b/race');
	my @r = run_parallel(5, sub { return answered_with('PATCH', $up, body => $_[0] x 200_000, headers => ['Content-Range' => '0-199999']) });
	is join(' ', sort @r), '202 416 416 416 416', "of five first chunks at once one is taken, four are 416 (round $round)";
	is upload_range($s, $up), '0-199999', "the upload has the bytes of one (round $round)";
	my ($id) = $up =~ m{([^/]+)$};
	my $data = content_of(data_dir($s) . "/repositories/b/race/_uploads/$id/data");
	ok $data eq substr($data, 0, 1) x 200_000, "and no others (round $round)";
}

# Two PUTs at once: one finishes, the other finds nothing
for my $round (1 .. 3) {
	my $up = upload_start($s, 'b/put');
	my $bytes = "round $round" . 'x' x 500_000;
	$s->req('PATCH', $up, body => $bytes);
	my @r = run_parallel(3, sub { return answered_with('PUT', "$up?digest=" . sha256($bytes)) });
	is join(' ', sort @r), '201 404 404', "of three PUTs at once one is 201, two are 404 (round $round)";
	ok content_of(blob_file($s, sha256($bytes))) eq $bytes, "and the blob is whole (round $round)";
}

# PATCH and DELETE at once
my $up = upload_start($s, 'b/cancel');
my @r = run_parallel(2, sub { return $_[0] ? answered_with('DELETE', $up) : answered_with('PATCH', $up, body => 'x' x 2_000_000) });
like "@r", qr/^(202|404) 204$/, 'a cancel beside a PATCH is 204, and the PATCH is taken before it or finds nothing';
is $s->req('GET', $up)->status, 404, 'the upload is gone';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
