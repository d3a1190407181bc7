#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What nginx answers by itself is the same error JSON; the limits of request line and headers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $end = "Host: registry\r\nConnection: close\r\n";

my $r = $s->raw("GET /v2/ HTTP/1.1\r\n\r\n");
error_is $r, 400, undef, 'a request without Host is 400 with the error JSON';

$r = $s->raw("GET /v2/%zz HTTP/1.1\r\n$end\r\n");
error_is $r, 400, undef, 'a path with a broken percent escape is 400 with the error JSON';

$r = $s->raw("POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${end}Content-Length: -5\r\n\r\n");
error_is $r, 400, undef, 'a negative Content-Length is 400 with the error JSON';

$r = $s->raw("POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${end}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef");
error_is $r, 400, undef, 'two lengths are 400 with the error JSON';

$r = $s->raw("POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${end}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n");
ok $r && $r->status == 400, 'a broken chunked body is 400';
is $r->code ? common_fault($r) : 'not the error JSON', '', 'a broken chunked body is answered with the error JSON';
ok !-e repo_dir_of('a'), 'broken requests leave no repository';

$r = $s->raw('GET /v2/_catalog?x=' . 'a' x 60_000 . " HTTP/1.1\r\n$end\r\n");
is $r->status, 200, 'a request line of 60 KB is taken';
$r = $s->raw('GET /v2/_catalog?x=' . 'a' x 74_000 . " HTTP/1.1\r\n$end\r\n");
error_is $r, 414, undef, 'a request line over 72 KiB is 414 with the error JSON';

$r = $s->raw("GET /v2/_catalog HTTP/1.1\r\n${end}X-Long: " . 'a' x 60_000 . "\r\n\r\n");
is $r->status, 200, 'a header line of 60 KB is taken';
$r = $s->raw("GET /v2/_catalog HTTP/1.1\r\n${end}X-Long: " . 'a' x 74_000 . "\r\n\r\n");
error_is $r, 400, 'UNSUPPORTED', 'a header line over 72 KiB is 400 with the error JSON', qr/header too large/;

$r = $s->raw("GET /v2/_catalog HTTP/1.1\r\n${end}" . join('', map { "Accept: application/vnd.x$_+json\r\n" } 1 .. 60) . "\r\n");
is $r->status, 200, 'sixty Accept headers are taken';

is $s->req('GET', '/v2/_catalog')->body, qq({"repositories":[]}\n), 'after all this the registry serves, and is empty';

done_testing;

sub repo_dir_of { return data_dir($s) . "/repositories/$_[0]/_layers" }
