#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A stream that breaks off is asked how far it came, and goes on from there, whatever died meanwhile.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $all = random_bytes(2_000_000);
my $loc = path_of($s->req('POST', '/v2/res/app/blobs/uploads/?digest-algorithm=sha512')->header('Location'));
my $at = 0;

# goes_on - GET says how far it is; the next piece is streamed from there
sub goes_on {
	my ($len, $title) = @_;
	my $r;
	wait_for { ($r = $s->req('GET', $loc))->status !~ /^50[23]$/ };
	is $r->status, 204, "$title: GET is 204";
	my ($end) = ($r->header('Range') // '') =~ /^0-(\d+)$/;
	my $have = $end ? $end + 1 : 0;
	is $have, $at, "$title: what was taken in is there";
	is path_of($r->header('Location')), $loc, "$title: the Location is the same";
	my $p = $s->req('PATCH', $loc, body => substr($all, $have, $len), chunked => 1);
	is $p->status, 202, "$title: the next piece is taken" or diag $p->body;
	$at += $len;
	headers_are $p, { Range => '0-' . ($at - 1), Location => $loc }, "$title: Range and Location";
	return;
}

sub break_off {
	my ($type) = @_;
	my $k = $s->sock;
	my $piece = 'q' x 600_000;
	my ($head, $body) = $type eq 'chunked' ? ('Transfer-Encoding: chunked', sprintf "%x\r\n%s\r\n", length $piece, $piece) : ('Content-Length: 1200000', $piece);
	print {$k} "PATCH $loc HTTP/1.1\r\nHost: x\r\n$head\r\n\r\n$body";
	wait_for { grep { (-s $_ // 0) > 0 } glob $s->root . '/berth/body/*' };
	close $k;
	leftovers($s);
	return;
}

goes_on(300_000, 'the first piece');
break_off('chunked');
goes_on(100_000, 'after a stream that broke off');
break_off('length');
goes_on(100_000, 'after a body that broke off');
$s->kill_workers;
goes_on(500_000, 'after kill -9 of all workers');
$s->restart;
goes_on(500_000, 'after a restart of everything');
error_is $s->req('PATCH', $loc, body => 'xx', headers => ['Content-Range' => '0-1']), 416, 'RANGE_INVALID', 'an overlap is 416';
error_is $s->req('PUT', "$loc?digest=" . sha512($all), body => substr($all, $at), headers => ['Content-Range' => ($at + 1) . '-' . length $all]), 416, 'RANGE_INVALID', 'a last chunk out of place is 416';
is upload_range($s, $loc), '0-' . ($at - 1), 'the upload is kept as it was';
my $r = $s->req('PUT', "$loc?digest=" . sha512($all), body => substr($all, $at), chunked => 1);
is $r->status, 201, 'the last chunk comes with PUT';
is $r->header('Docker-Content-Digest'), sha512($all), 'and the digest is sha512';
ok $s->req('GET', '/v2/res/app/blobs/' . sha512($all))->body eq $all, 'the blob is what was sent';
error_is $s->req('GET', $loc), 404, 'BLOB_UPLOAD_UNKNOWN', 'the upload is over';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
