#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Ranges of blobs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $size = 100_000;
my $bytes = join '', map { pack 'N', $_ * 2654435761 % 4294967296 } 1 .. $size / 4;
my $d = $s->push_blob('app', $bytes);
my $path = "/v2/app/blobs/$d";

sub get { return $s->req('GET', $path, headers => [@_]) }

for my $c (['0-0', 0, 0], ['10-19', 10, 19], ['100-', 100, $size - 1], ['-5', $size - 5, $size - 1], ["0-$size", 0, $size - 1],
	['0-', 0, $size - 1], ['99999-', 99_999, 99_999], ['99990-999999999', 99_990, 99_999], ["-$size", 0, $size - 1], ['-200000', 0, $size - 1],
	['5-5', 5, 5], ['00010-00019', 10, 19]) {
	my ($range, $from, $to) = @$c;
	my $r = get(Range => "bytes=$range");
	is $r->status, 206, "Range bytes=$range is 206";
	ok $r->body eq substr($bytes, $from, $to - $from + 1), "Range bytes=$range gives bytes $from to $to";
	headers_are $r, { 'Content-Range' => "bytes $from-$to/$size", 'Content-Length' => $to - $from + 1, 'Docker-Content-Digest' => $d,
		'Etag' => qq("$d"), 'Content-Type' => 'application/octet-stream', 'Docker-Distribution-Api-Version' => 'registry/2.0',
		'X-Content-Type-Options' => 'nosniff', 'Last-Modified' => undef, 'Cache-Control' => 'max-age=31536000, immutable' },
		"Range bytes=$range has Content-Range and the headers of the blob";
}

for my $c (['0-9,20-29', [0, 9], [20, 29]], ['0-0,-1', [0, 0], [99_999, 99_999]], ['0-99, 1000-1999 ,5000-', [0, 99], [1000, 1999], [5000, 99_999]]) {
	my ($range, @parts) = @$c;
	my $r = get(Range => "bytes=$range");
	is $r->status, 206, "several ranges ($range) are 206";
	my ($bound) = ($r->header('Content-Type') // '') =~ m{^multipart/byteranges; boundary=(\S+)$};
	ok $bound, "several ranges ($range) come as multipart/byteranges";
	$bound //= 'none';
	my $want = '';
	$want .= "\r\n--$bound\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes $_->[0]-$_->[1]/$size\r\n\r\n"
		. substr($bytes, $_->[0], $_->[1] - $_->[0] + 1) for @parts;
	$want .= "\r\n--$bound--\r\n";
	ok $r->body eq $want, "each part ($range) has its Content-Range and its bytes";
	is $r->header('Content-Length'), length $want, "several ranges ($range) have the length of the whole";
	headers_are $r, { 'Docker-Content-Digest' => $d, 'Etag' => qq("$d") }, "several ranges ($range) have the digest and the ETag";
}

for my $bad ("$size-", '100000-100010', '500-0', 'abc', '-', '10', '10-x', '1.5-3', '0x1-2', '-0', '18446744073709551616-', '5-4,3-2') {
	my $r = get(Range => "bytes=$bad");
	error_is $r, 416, 'RANGE_INVALID', "Range bytes=$bad is 416 RANGE_INVALID";
	is $r->header('Content-Range'), "bytes */$size", "the 416 to bytes=$bad says the size";
}

for my $c (['another unit', Range => 'items=0-5'], ['no unit', Range => '0-5'],
	['If-Range with another ETag', Range => 'bytes=0-5', 'If-Range' => '"x"'],
	['If-Range with a date', Range => 'bytes=0-5', 'If-Range' => 'Fri, 01 Jan 2100 00:00:00 GMT']) {
	my ($what, @h) = @$c;
	my $r = get(@h);
	is $r->status, 200, "$what is 200";
	ok $r->body eq $bytes, "$what gets the whole blob";
	is $r->header('Content-Range'), undef, "$what gets no Content-Range";
	is $r->header('Etag'), qq("$d"), "$what gets the ETag";
}

my $r = get(Range => 'bytes=0-5', 'If-Range' => qq("$d"));
is $r->status, 206, 'If-Range with the ETag lets the range count';
is $r->header('Content-Range'), 'bytes 0-5/' . length $bytes, 'and the range is what was asked for';

$r = get(Range => 'bytes=0-5', 'If-None-Match' => qq("$d"));
is $r->status, 304, 'If-None-Match goes before Range';
is $s->req('GET', "/v2/app/manifests/none", headers => [Range => 'bytes=0-5'])->status, 404, 'Range on an unknown manifest is 404';

my $text = image_of(OCI_MANIFEST, $bytes);
$s->req('PUT', '/v2/app/manifests/m', headers => ['Content-Type' => OCI_MANIFEST], body => $text);
$r = $s->req('GET', '/v2/app/manifests/m', headers => [Range => 'bytes=0-5']);
ok +($r->status == 200 && $r->body eq $text) || ($r->status == 206 && $r->body eq substr($text, 0, 6)), 'Range on a manifest gives the range or the whole, nothing else';

# A pull that goes on where it broke off gives the same blob
my $got = '';
while (length $got < $size) {
	my $step = get(Range => 'bytes=' . length($got) . '-' . (length($got) + 33_332));
	last if $step->status != 206;
	$got .= $step->body;
}
ok $got eq $bytes, 'a blob fetched in ranges is the blob';

done_testing;
