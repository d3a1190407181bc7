#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The largest blob that is taken.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $max = 100_000;
my $s = Berth::Server->start(config => qq(blobs: { max_size = "$max"; };\n));

my $fits = 'f' x $max;
my $over = 'o' x ($max + 1);
for my $chunked (0, 1) {
	my $how = $chunked ? 'chunked' : 'with a length';
	my $loc = upload_start($s, 'l/app');
	is $s->req('PUT', "$loc?digest=" . sha256($fits), body => $fits, chunked => $chunked)->status, 201, "a blob of the limit itself is taken ($how)";
	is $s->req('POST', '/v2/l/app/blobs/uploads/?digest=' . sha256($fits), body => $fits, chunked => $chunked)->status, 201, "and in a single POST ($how)";

	$loc = upload_start($s, 'l/app');
	error_is $s->req('PUT', "$loc?digest=" . sha256($over), body => $over, chunked => $chunked), 413, 'SIZE_INVALID', "one byte more is 413 on PUT ($how)";
	error_is $s->req('PATCH', $loc, body => $over, chunked => $chunked), 413, 'SIZE_INVALID', "one byte more is 413 on PATCH ($how)";
	error_is $s->req('POST', '/v2/l/app/blobs/uploads/?digest=' . sha256($over), body => $over, chunked => $chunked), 413, 'SIZE_INVALID', "one byte more is 413 on a single POST ($how)";
	is upload_range($s, $loc), '0-0', "nothing of it is added ($how)";

	$s->req('PATCH', $loc, body => substr $fits, 0, 60_000);
	error_is $s->req('PATCH', $loc, body => substr($over, 0, 40_001), chunked => $chunked), 413, 'SIZE_INVALID', "chunks that pass the limit together are 413 ($how)";
	is upload_range($s, $loc), '0-59999', "nothing of the last is added ($how)";
	error_is $s->req('PUT', "$loc?digest=" . sha256($over), body => substr($over, 0, 40_001), chunked => $chunked), 413, 'SIZE_INVALID', "a last chunk on PUT that passes it is 413 ($how)";
	is upload_range($s, $loc), '0-59999', "and keeps the upload ($how)";
	is $s->req('PATCH', $loc, body => substr($fits, 0, 40_000), chunked => $chunked)->status, 202, "up to the limit they are taken ($how)";
	is $s->req('PUT', "$loc?digest=" . sha256($fits))->status, 201, "and finished ($how)";
}
is leftovers($s), '', 'nothing is left in body, tmp and trash';
ok !-e blob_file($s, sha256($over)), 'nothing over the limit is stored';

# A body far over the limit is refused before it has come
my $loc = upload_start($s, 'l/app');
my $sock = $s->sock;
syswrite $sock, "PATCH $loc HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n";
my $early = eval { read_response($sock) };
ok $early, 'a PATCH of 1 GiB over the limit is answered before its body is sent';
error_is $early, 413, 'SIZE_INVALID', 'with 413 SIZE_INVALID' if $early;
close $sock;

done_testing;
