#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Big bodies, cut in several ways.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $size = 20 << 20;
my $base = random_bytes(1 << 20);
my $n = 0;

# a new blob of 20 MB each time
sub blob { $n++; return join '', map { pack('NN', $n, $_) . $base } 1 .. 20 }

sub stored_ok {
	my ($bytes, $title) = @_;
	my $d = sha256($bytes);
	my $f = blob_file($s, $d);
	is -s $f, length $bytes, "$title: all of it is there";
	my $r = $s->req('GET', "/v2/big/app/blobs/$d");
	ok $r->status == 200 && $r->body eq $bytes, "$title: it comes back byte for byte";
	is_deeply [uploads_of($s, 'big/app')], [], "$title: no upload is left";
	is leftovers($s), '', "$title: nothing is left in body, tmp and trash";
	unlink $f;
	return;
}

for my $chunked (0, 1) {
	my $how = $chunked ? 'chunked' : 'with a length';
	my $bytes = blob();
	my $loc = upload_start($s, 'big/app');
	is $s->req('PUT', "$loc?digest=" . sha256($bytes), body => $bytes, chunked => $chunked)->status, 201, "20 MB in one PUT, $how";
	stored_ok($bytes, "in one PUT, $how");

	$bytes = blob();
	is $s->req('POST', '/v2/big/app/blobs/uploads/?digest=' . sha256($bytes), body => $bytes, chunked => $chunked)->status, 201, "20 MB in one POST, $how";
	stored_ok($bytes, "in one POST, $how");
}
for my $step (20 << 20, 8 << 20, 5_000_011, 1 << 20, 262_145) {
	my $bytes = blob();
	my $loc = upload_start($s, 'big/app');
	my $ok = 1;
	for (my $off = 0; $off < length $bytes; $off += $step) {
		my $piece = substr $bytes, $off, $step;
		my $end = $off + length($piece) - 1;
		my $r = $s->req('PATCH', $loc, body => $piece, headers => $off & 1 ? [] : ['Content-Range' => "$off-$end"]);
		$ok &&= $r->status == 202 && $r->header('Range') eq "0-$end";
	}
	ok $ok, "20 MB in chunks of $step bytes: each is taken and counted";
	is $s->req('PUT', "$loc?digest=" . sha256($bytes))->status, 201, "20 MB in chunks of $step bytes: finished";
	stored_ok($bytes, "in chunks of $step bytes");
}
my $bytes = blob();
my $loc = upload_start($s, 'big/app');
$s->req('PATCH', $loc, body => substr $bytes, 0, 7_000_001);
is $s->req('PUT', "$loc?digest=" . sha256($bytes), body => substr($bytes, 7_000_001))->status, 201, '20 MB in one PATCH and the rest on PUT';
stored_ok($bytes, 'in one PATCH and the rest on PUT');

# Expect: 100-continue
$bytes = 'continue' x 1000;
$loc = upload_start($s, 'big/app');
my $sock = $s->sock;
syswrite $sock, "PUT $loc?digest=" . sha256($bytes) . " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: " . length($bytes) . "\r\n\r\n";
sysread $sock, my $go, 1000;
is $go, "HTTP/1.1 100 Continue\r\n\r\n", 'a client that expects 100-continue gets it';
syswrite $sock, $bytes;
my $r = eval { read_response($sock) };
is $r ? $r->status : 'nothing', 201, 'and is served';
$sock = $s->sock;
syswrite $sock, 'PUT /v2/big/app/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd?digest=' . sha256($bytes)
	. " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n";
$r = eval { read_response($sock) };
is $r ? $r->status : 'nothing', 404, 'one whose upload is not there is told so before it sends its body';

# wrong at the end
$bytes = blob();
$loc = upload_start($s, 'big/app');
error_is $s->req('PUT', "$loc?digest=" . sha256('x'), body => $bytes), 400, 'DIGEST_INVALID', '20 MB with the wrong digest are 400';
is leftovers($s), '', 'and leave nothing in body, tmp and trash';
ok !-e blob_file($s, sha256($bytes)), 'and store nothing';

done_testing;
