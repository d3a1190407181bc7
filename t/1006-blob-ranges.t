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

# Thousands of ranges: the whole blob or 400, at which a client asks for fewer, and never 431
sub ranges { my ($n) = @_; return 'bytes=' . join ',', map { ($_ * 7) . '-' . ($_ * 7 + 1) } 1 .. $n }
for my $c ([200, 206], [256, 206], [257, 200], [1000, 200], [4000, 200], [6000, 400], [10_000, 400], [100_000, 400]) {
	my ($n, $status) = @$c;
	my $r = get(Range => ranges($n));
	if ($status == 400) {
		error_is $r, 400, 'UNSUPPORTED', "$n ranges (" . length(ranges($n)) . ' bytes) are 400';
		next;
	}
	is $r->status, $status, "$n ranges (" . length(ranges($n)) . " bytes) are $status";
	ok $r->body eq $bytes, 'with the whole blob' if $status == 200;
	headers_are $r, { 'Docker-Content-Digest' => $d, 'Etag' => qq("$d") }, 'and its headers';
}
is get(Range => 'bytes=0-' . '0' x 5000 . '9')->body, substr($bytes, 0, 10), 'one range of many digits is one';
is get(Range => 'bytes=' . '0' x 65_528 . '-9')->status, 206, 'of 64 KiB, too';
is get(Range => 'bytes=' . '0' x 65_529 . '-9')->status, 400, 'and not of a byte more';
is $s->req('GET', '/v2/app/tags/list', headers => [Range => ranges(4000)])->status, 200, 'where there are no ranges it is as without';
is $s->req('PUT', '/v2/app/manifests/x', headers => [Range => ranges(4000)], body => '{}')->status, 400, 'with a body, too';
is get(Range => ranges(3000), 'X-More' => 'x' x 31_000)->status, 200, 'a large header beside many ranges is taken';
is get(Range => ranges(10), 'X-More' => 'x' x 70_000)->status, 431, 'but one that is too large for a worker is 431';

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

# A precondition that holds: nginx does not know the tag when it reads the header, so a worker sends the blob
for my $c (['the digest', qq("$d")], ['the digest in a list', qq("x", "$d")], ['any', '*'], ['the digest without quotes', $d]) {
	my ($what, $match) = @$c;
	for my $method ('GET', 'HEAD') {
		$r = $s->req($method, $path, headers => ['If-Match' => $match]);
		is $r->status, 200, "$method with If-Match and $what is 200";
		ok $r->body eq ($method eq 'GET' ? $bytes : ''), 'with the whole blob' ;
		headers_are $r, { 'Docker-Content-Digest' => $d, 'Etag' => qq("$d"), 'Content-Length' => $size, 'Content-Type' => 'application/octet-stream', 'Accept-Ranges' => 'bytes',
			'Docker-Distribution-Api-Version' => 'registry/2.0', 'Last-Modified' => undef, 'Cache-Control' => 'max-age=31536000, immutable' }, 'and its headers';
	}
	$r = get('If-Match' => $match, Range => 'bytes=99990-');
	is $r->status . ' ' . $r->header('Content-Range'), "206 bytes 99990-99999/$size", 'and a range of it';
	ok $r->body eq substr($bytes, 99_990), 'with its bytes';
	is get('If-Match' => $match, Range => 'bytes=100000-')->status, 416, 'if there is one';
	is get('If-Match' => $match, 'If-None-Match' => qq("$d"))->status, 304, 'If-None-Match comes after it';
}
for my $match ('"x"', 'x', '"' . sha256('x') . '"', 'sha256:', ',') {
	for my $method ('GET', 'HEAD') {
		$r = $s->req($method, $path, headers => ['If-Match' => $match]);
		is $r->status, 412, "$method with If-Match: $match is 412";
		is $r->header('Cache-Control'), undef, 'which is not to be kept';
	}
	error_is get('If-Match' => $match, Range => 'bytes=0-5'), 412, 'DENIED', 'also with a range';
}
is get('If-Unmodified-Since' => 'Fri, 01 Jan 2010 00:00:00 GMT')->body, $bytes, 'a blob has no date, so If-Unmodified-Since does not matter';
is get('If-Unmodified-Since' => $_, Range => 'bytes=0-5')->status, 206, "'$_' is no date, and has its range as a date has" for '*', 'x';
is get('If-Modified-Since' => 'Fri, 01 Jan 2100 00:00:00 GMT')->status, 200, 'nor does If-Modified-Since';
is $s->req('GET', '/v2/app/blobs/' . sha256('x'), headers => ['If-Match' => '*'])->status, 404, 'what is not there is 404 before that';
$s->stop;

# who reads slowly occupies no worker
$s = Berth::Server->start(config => "workers = 1;\n");
my $big = random_bytes(40_000_000);
my $bd = $s->push_blob('app', $big);
my @slow = map { my $k = $s->sock; print {$k} "GET /v2/app/blobs/$bd HTTP/1.1\r\nHost: x\r\nIf-Match: \"$bd\"\r\nConnection: close\r\n\r\n"; $k->flush; $k } 1 .. 4;
ok wait_for { 4 == grep { ($_->{route} // '') eq 'blob' && $_->{method} eq 'GET' && $_->{status} == 200 } $s->log_events }, 'the only worker has sent a blob to four who do not read';
is $s->req('GET', '/v2/')->status, 200, 'and answers others';
$r = $s->req('GET', "/v2/app/blobs/$bd", headers => ['If-Match' => qq("$bd")]);
error_is $r, 503, 'UNAVAILABLE', 'a fifth has to wait, since what nginx has spooled takes room';
is $s->req('GET', "/v2/app/blobs/$bd", headers => ['If-Unmodified-Since' => '*'])->status, 503, 'whatever the precondition is';
is $s->req('GET', "/v2/app/blobs/$bd")->status, 200, 'but not without the precondition';
is leftovers($s), '', 'what is spooled has no name';
my $first = read_response(shift @slow);
is sha256($first->body), $bd, 'the first gets the bytes in the end';
close $_ for @slow;
ok wait_for { $s->req('GET', "/v2/app/blobs/$bd", headers => ['If-Match' => qq("$bd")])->status == 200 }, 'and then another';
$s->stop;

done_testing;
