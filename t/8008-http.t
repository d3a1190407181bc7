#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# HTTP itself: pipelining, old clients, absolute-form, Expect, repeated headers, slow readers; the common headers everywhere.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my ($d, $m) = $s->push_image('h/app', 'one', layers => ['layer']);
my $blob = sha256('layer');
my $h = "Host: registry\r\n";
my $close = "${h}Connection: close\r\n";

# all_of - every answer on one connection
sub all_of {
	my ($bytes, @methods) = @_;
	my $k = $s->sock;
	my $rest = '';
	my @r;
	print {$k} $bytes;
	for my $method (@methods) {
		my $r = eval { read_response($k, method => $method, rest => \$rest) } or last;
		push @r, $r;
	}
	return @r;
}

# pipelining
my @r = all_of("GET /v2/ HTTP/1.1\r\n$h\r\nHEAD /v2/h/app/manifests/one HTTP/1.1\r\n$h\r\nGET /v2/h/app/blobs/$blob HTTP/1.1\r\n$h\r\nGET /v2/h/app/manifests/none HTTP/1.1\r\n$h\r\nGET /v2/h/app/manifests/one HTTP/1.1\r\n$close\r\n", qw(GET HEAD GET GET GET));
is join(' ', map { $_->status } @r), '200 200 200 404 200', 'five requests sent at once are answered in order';
is_deeply [map { common_fault($_) } @r], [('') x 5], 'each with the common headers';
is $r[2]->body, 'layer', 'a blob among them is whole';
is $r[4]->body, $m, 'and so is what comes after it';
my $loc = upload_start($s, 'h/app');
@r = all_of("PATCH $loc HTTP/1.1\r\n${h}Content-Length: 5\r\n\r\nfirstPATCH $loc HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\nGET $loc HTTP/1.1\r\n$close\r\n", qw(PATCH PATCH GET));
is join(' ', map { $_->status . ' ' . $_->header('Range') } @r), '202 0-4 202 0-10 204 0-10', 'two PATCHes and a GET sent at once are done in order';
@r = all_of("PUT /v2/h/app/manifests/-bad HTTP/1.1\r\n${h}Content-Length: 27\r\n\r\nGET /v2/smuggled HTTP/1.1\r\nGET /v2/ HTTP/1.1\r\n$close\r\n", qw(PUT GET));
is $r[0]->status, 400, 'a refused PUT is 400';
ok !(grep { $_->status == 404 } @r), 'and its body is not taken for a request';

# HTTP/1.0
my $r = $s->req('GET', '/v2/h/app/manifests/one', http => '1.0', headers => [Host => undef, Connection => undef]);
is $r->status, 200, 'a client of HTTP/1.0 without Host is served';
is $r->body, $m, 'with the manifest';
is $s->req('GET', "/v2/h/app/blobs/$blob", http => '1.0')->body, 'layer', 'and with blobs';
my $l10 = upload_start($s, 'h/app');
is $s->req('PUT', "$l10?digest=" . sha256('old'), http => '1.0', body => 'old')->status, 201, 'and may push';
like $s->raw("GET /v2/nothing HTTP/1.0\r\n\r\n"), qr{\AHTTP/1\.[01] 404 .*"errors"}s, 'an error is the same for it';

# absolute-form
for my $c (['GET', '/v2/', 200], ['GET', '/v2/h/app/manifests/one', 200], ['HEAD', "/v2/h/app/blobs/$blob", 200], ['GET', '/v2/h/app/manifests/none', 404], ['POST', '/v2/h/abs/blobs/uploads/', 202],
	['GET', '/v2/_catalog?n=1', 200], ['GET', '/nothing', 404]) {
	my ($method, $p, $want) = @$c;
	$r = $s->raw("$method http://registry.example:5000$p HTTP/1.1\r\n$close\r\n");
	is $r->status, $want, "$method http://registry.example:5000$p is $want";
	is common_fault($r), '', "$method $p in absolute form carries the common headers, and a valid Location";
}
$l10 = upload_start($s, 'h/app');
is $s->raw("PUT http://other$l10?digest=" . sha256('abs') . " HTTP/1.1\r\n${close}Content-Length: 3\r\n\r\nabs")->status, 201, 'an upload is finished in absolute form';

# Expect: 100-continue; where only a refusal is awaited, it may come some time after the 100
sub expect {
	my ($head, $body, $pause) = @_;
	my $k = $s->sock;
	print {$k} "$head\r\n${close}Expect: 100-continue\r\nContent-Length: " . length($body) . "\r\n\r\n";
	my $got = '';
	my $sel = IO::Select->new($k);
	while ($got !~ /\r\n\r\n/ && $sel->can_read(60)) { sysread $k, $got, 4096, length $got or last }
	# nginx says 100 whenever it lets go of a body, also before a refusal: then the error comes with it
	while ($got =~ m{\AHTTP/1\.1 100[^\n]*\r\n\r\n\z} && $sel->can_read($pause // 0.3)) { sysread $k, $got, 4096, length $got or last }
	my ($first) = (grep { $_ != 100 } $got =~ m{^HTTP/1\.1 (\d+)}mg)[0] // ($got =~ m{\AHTTP/1\.1 100} ? 100 : 'nothing');
	return ($first, Berth::Response->parse($got)) if $first ne '100';
	print {$k} $body;
	return ($first, read_response($k));
}
my $up = upload_start($s, 'h/app');
my $text = image_of(OCI_MANIFEST, 'layer');
for my $c (["PATCH $up HTTP/1.1", 'x', 202], ['POST /v2/h/app/blobs/uploads/?digest=' . sha256('expected') . ' HTTP/1.1', 'expected', 201], ["PUT /v2/h/app/manifests/expected HTTP/1.1\r\nContent-Type: ${\OCI_MANIFEST}", $text, 201]) {
	my ($first, $then) = expect(@$c[0, 1]);
	my ($what) = $c->[0] =~ /^(\w+)/;
	is $first, 100, "$what that may come in is told to go on";
	is $then ? $then->status : 'nothing', $c->[2], "and is $c->[2]";
}
for my $c (['PATCH /v2/h/app/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd HTTP/1.1', 404, 'BLOB_UPLOAD_UNKNOWN'], ["PUT $up?digest=abc HTTP/1.1", 400, 'DIGEST_INVALID'], ['PUT /v2/h/app/manifests/-bad HTTP/1.1', 400, 'TAG_INVALID'],
	['PUT /v2/Bad/manifests/x HTTP/1.1', 400, 'NAME_INVALID'], ['POST /v2/h/app/blobs/uploads/?digest=sha256:abc HTTP/1.1', 400, 'DIGEST_INVALID'], ["PATCH $up HTTP/1.1\r\nContent-Range: 7-8", 416, 'RANGE_INVALID']) {
	my ($first, $then) = expect($c->[0], 'xy', 60);
	my $short = $c->[0] =~ s/\r.*//sr =~ s/[0-9a-f-]{30,}/.../r;
	is $first, $c->[1], "$short: the error comes before the body is sent";
	error_is $then, $c->[1], $c->[2], "$short: with its code";
}

# repeated headers
my $accept = join '', map { "Accept: $_\r\n" } OCI_MANIFEST, DOCKER_MANIFEST, 'text/html', '*/*';
is $s->raw("GET /v2/h/app/manifests/one HTTP/1.1\r\n$close$accept\r\n")->body, $m, 'several Accept are taken';
is $s->raw("GET /v2/h/app/manifests/one HTTP/1.1\r\n${close}If-None-Match: \"x\", \"$d\"\r\n\r\n")->status, 304, 'of a list in If-None-Match one that matches is enough';
error_is $s->raw("GET /v2/h/app/manifests/one HTTP/1.1\r\n${close}If-None-Match: \"x\"\r\nIf-None-Match: \"$d\"\r\n\r\n"), 400, undef, 'two lines of If-None-Match are 400 with the error JSON';
my $before = $s->tree_digest;
for my $c (['two different', "Content-Length: 5\r\nContent-Length: 6\r\n"], ['two equal', "Content-Length: 5\r\nContent-Length: 5\r\n"], ['a list in one', "Content-Length: 5, 5\r\n"], ['one that is no number', "Content-Length: 5x\r\n"], ['one with a sign', "Content-Length: +5\r\n"], ['one beyond 64 bits', "Content-Length: 99999999999999999999\r\n"],
	['a length and chunks', "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"]) {
	$r = $s->raw("PATCH $up HTTP/1.1\r\n$close$c->[1]\r\nabcde");
	error_is $r, 400, undef, "Content-Length: $c->[0] is 400 with the error JSON";
}
error_is $s->raw("GET /v2/ HTTP/1.1\r\n${close}Host: other\r\n\r\n"), 400, undef, 'two Hosts are 400';
is $s->tree_digest, $before, 'none of these changes anything on disk';

# Connection games: a hop-by-hop header takes no other away
for my $c ('Content-Length', 'close, Content-Length', 'Content-Range', 'X-Accel-Redirect', 'Host', 'keep-alive, Transfer-Encoding') {
	my $u = upload_start($s, 'h/conn');
	$r = $s->raw("PATCH $u HTTP/1.1\r\n${h}Connection: $c\r\nContent-Range: 0-2\r\nContent-Length: 3\r\n\r\nabcGET /v2/ HTTP/1.1\r\n$close\r\n");
	is $r->status, 202, "Connection: $c: the PATCH is taken";
	is upload_range($s, $u), '0-2', "Connection: $c: with its three bytes, no more";
}
for my $hd ('X-Accel-Redirect: /_berth/blobs/', 'X-Original-URI: /v2/x', 'X-Rewrite-URL: /', 'X-HTTP-Method-Override: DELETE', 'X-Berth-Status: 200', 'Proxy: http://evil', 'Upgrade: h2c') {
	is $s->raw("GET /v2/h/app/manifests/one HTTP/1.1\r\n$close$hd\r\n\r\n")->body, $m, "$hd changes nothing";
}

# slashes
for my $p ('/v2//h/app/manifests/one', '/v2/h//app/manifests/one', '/v2/h/app//manifests/one', '/v2/h/app/manifests//one', '//v2/', '/v2//', '/v2//_catalog', '/v2/h/app/tags//list', "/v2/h/app/blobs//$blob", '/v2/h/app/manifests/one/') {
	$r = $s->req('GET', $p);
	ok $r->status == 404 || $r->status == 400, "$p is not the same without the slash (" . $r->status . ')';
	error_is $r, $r->status, undef, "$p is answered with the error JSON";
}
error_is $s->req('POST', '/v2/h/app/blobs/uploads//'), 404, undef, 'POST with two slashes at the end is 404';

# what nginx says by itself has the common headers, once
for my $c (['GET /v2/ HTTP/1.1', '', 400], ['GET /v2/%zz HTTP/1.1', $close, 400], ['PUT /v2/h/app/manifests/x HTTP/1.1', "${close}Content-Length: 5000000\r\n", 413], ['GET /v2/?' . 'a' x 74_000 . ' HTTP/1.1', $close, 414],
	['GET /v2/_catalog HTTP/1.1', "${close}X: " . 'a' x 70_000 . "\r\n", 431], ['GET /v2/ HTTP/1.1', "${close}X: " . 'a' x 74_000 . "\r\n", 400], ['TRACE /v2/ HTTP/1.1', $close, 405], ['POST / HTTP/1.1', $close, 405], ['GET /else HTTP/1.1', $close, 404], ['POST /v2/h/app/blobs/uploads/ HTTP/1.1', "${close}Content-Length: 70000\r\n", 413]) {
	my $k = $s->sock;
	print {$k} "$c->[0]\r\n$c->[1]\r\n";
	$r = read_response($k);
	error_is $r, $c->[2], undef, substr($c->[0], 0, 40) . " is $c->[2] with the error JSON and the common headers once";
}

# slow readers of a big blob hold no worker
my $big = random_bytes(12 << 20);
my $big_d = $s->push_blob('h/app', $big);
my @slow = map { my $k = $s->sock; print {$k} "GET /v2/h/app/blobs/$big_d HTTP/1.1\r\n$close\r\n"; sysread $k, my $byte, 1; $k } 1 .. 30;
is scalar(grep { $s->req('GET', '/v2/h/app/manifests/one')->status == 200 } 1 .. 100), 100, 'beside thirty clients that do not read, two workers answer a hundred requests';
is scalar(grep { $s->req('GET', "/v2/h/app/blobs/$blob")->body eq 'layer' } 1 .. 20), 20, 'and serve blobs';
my $got = '';
1 while sysread $slow[0], $got, 1 << 20, length $got;
ok substr($got, -length $big) eq $big, 'one that goes on reading gets its whole blob';
close $_ for @slow;

# without workers
$s->stop_workers;
for my $c (['GET', '/v2/'], ['PATCH', $up]) {
	$r = $s->req($c->[0], $c->[1], $c->[0] eq 'PATCH' ? (body => 'x') : ());
	error_is $r, 503, 'UNAVAILABLE', "$c->[0] without workers is 503 with Retry-After and the common headers once";
}
done_testing;
