#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The base route, unknown paths, methods, and what every response carries.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($digest, $manifest) = $s->push_image('team/app', '1.0', layers => ['some layer']);
my $blob = $s->push_blob('team/app', 'a blob');
my $upload = upload_start($s, 'team/app');

# The base
my $r = $s->req('GET', '/v2/');
is $r->status, 200, 'GET /v2/ is answered with 200';
is $r->body, '{}', 'GET /v2/ is {} and nothing else';
headers_are $r, { 'Content-Type' => 'application/json; charset=utf-8', 'Content-Length' => 2,
	'Docker-Distribution-Api-Version' => 'registry/2.0', 'X-Content-Type-Options' => 'nosniff' },
	'GET /v2/ has type, length 2 and the API version';
$r = $s->req('HEAD', '/v2/');
is $r->status, 200, 'HEAD /v2/ is answered with 200';
is bytes_after_head($s, 'HEAD', '/v2/'), '', 'HEAD /v2/ has no body';
headers_are $r, { 'Content-Type' => 'application/json; charset=utf-8', 'Content-Length' => 2 },
	'HEAD /v2/ has the headers of GET';
is $s->req('GET', '/v2/?ns=docker.io')->body, '{}', 'an unknown parameter is ignored';

$r = $s->req('GET', '/');
is $r->status, 200, 'GET / is answered with 200';
is $r->body, '', 'GET / is empty';
is common_fault($r), '', 'GET / carries the common headers';
is $s->req('HEAD', '/')->status, 200, 'HEAD / is answered with 200';

for my $m (qw(GET HEAD)) {
	$r = $s->req($m, '/v2');
	like $r->status, qr/^30[1278]$/, "$m /v2 redirects";
	is $r->header('Location'), '/v2/', "$m /v2 redirects to the path /v2/, never to an absolute address";
	is common_fault($r), '', "the redirect of $m /v2 carries the common headers";
}

# Paths that do not exist
for my $p ('/foo', '/v1/', '/v1/_ping', '/favicon.ico', '/index.html', '/v2x', '/v2/team', '/v2/team/app', '/v2/team/app/',
	'/v2/team/app/tags', '/v2/team/app/tags/', '/v2/team/app/tags/list/', '/v2/team/app/manifests', '/v2/team/app/blobs',
	'/v2/team/app/blobs/', '/v2/_catalog/', '/v2/_catalog/x', '/v2/_other', '/v2/tags/list', '/v2/manifests/latest',
	'/v2/team/app/referrers', '/v2/team/app/referrers/', "/v2/referrers/$digest", '/v2/token', "/v2/$digest",
	'/v2/team/app/tags/other') {
	$r = $s->req('GET', $p);
	error_is $r, 404, undef, "GET $p is 404 with the error JSON";
}
for my $m (qw(POST PUT PATCH DELETE)) {
	error_is $s->req($m, '/v2/team/app/nothing/here', body => 'x'), 404, undef, "$m on an unknown path under /v2/ is 404";
}
$r = $s->req('HEAD', '/v2/team/app/nothing/here');
is $r->status, 404, 'HEAD on an unknown path is 404';
is bytes_after_head($s, 'HEAD', '/v2/team/app/nothing/here'), '', 'HEAD on an unknown path has no body';
is common_fault($r), '', 'HEAD on an unknown path carries the common headers';
ok !-e data_dir($s) . '/repositories/team/app/nothing', 'unknown paths leave nothing on disk';

# Methods
my %known = (
	'/v2/' => 'GET HEAD OPTIONS',
	'/v2/_catalog' => 'GET HEAD OPTIONS',
	'/v2/team/app/tags/list' => 'GET HEAD OPTIONS',
	'/v2/team/app/manifests/1.0' => 'DELETE GET HEAD OPTIONS PUT',
	"/v2/team/app/manifests/$digest" => 'DELETE GET HEAD OPTIONS PUT',
	"/v2/team/app/blobs/$blob" => 'DELETE GET HEAD OPTIONS',
	"/v2/team/app/referrers/$digest" => 'GET HEAD OPTIONS',
	'/v2/team/app/blobs/uploads/' => 'OPTIONS POST',
	'/v2/team/app/blobs/uploads' => 'OPTIONS POST',
	$upload => 'DELETE GET HEAD OPTIONS PATCH PUT',
);
my $before = $s->tree_digest;
for my $p (sort keys %known) {
	my %can = map { $_ => 1 } split / /, $known{$p};
	(my $short = $p) =~ s/[0-9a-f]{12,}(-[0-9a-f]+)*/.../g;
	$r = $s->req('OPTIONS', $p);
	is $r->status, 204, "OPTIONS $short is 204";
	is bytes_after_head($s, 'OPTIONS', $p), '', "OPTIONS $short has no body";
	is common_fault($r), '', "OPTIONS $short carries the common headers";
	my $allow = allow_of($r);
	$allow = join ' ', sort split(/ /, $allow), $allow =~ /OPTIONS/ ? () : 'OPTIONS';
	is $allow, $known{$p}, "OPTIONS $short names the methods that work there";
	for my $m (qw(GET HEAD POST PUT PATCH DELETE PROPFIND FOO)) {
		next if $can{$m};
		$r = $s->req($m, $p, $m eq 'HEAD' || $m eq 'GET' ? () : (body => 'xyz'));
		if ($m eq 'HEAD') {
			is $r->status, 405, "HEAD $short is 405";
		} else {
			error_is $r, 405, 'UNSUPPORTED', "$m $short is 405 UNSUPPORTED";
		}
		$allow = join ' ', sort split(/ /, allow_of($r)), allow_of($r) =~ /OPTIONS/ ? () : 'OPTIONS';
		is $allow, $known{$p}, "the Allow of $m $short names the methods that work there";
	}
}
is $s->tree_digest, $before, 'refused methods change nothing on disk';
error_is $s->req('DELETE', '/'), 405, 'UNSUPPORTED', 'DELETE / is 405';
$r = $s->raw("TRACE /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
is $r->status, 405, 'TRACE is 405';
is $r->code, 'UNSUPPORTED', 'TRACE is answered with the error JSON';
is common_fault($r), '', 'the answer to TRACE carries the common headers';

# A second look: OPTIONS is not a login nor a lookup
is $s->req('OPTIONS', '/v2/no/such/manifests/tag')->status, 204, 'OPTIONS does not ask whether the repository exists';

# HEAD wherever GET works
for my $p ('/v2/_catalog', '/v2/team/app/tags/list', '/v2/team/app/manifests/1.0', "/v2/team/app/blobs/$blob",
	"/v2/team/app/referrers/$digest", $upload) {
	(my $short = $p) =~ s/[0-9a-f]{12,}(-[0-9a-f]+)*/.../g;
	my ($g, $h) = ($s->req('GET', $p), $s->req('HEAD', $p));
	is $h->status, $g->status, "HEAD $short has the status of GET";
	is bytes_after_head($s, 'HEAD', $p), '', "HEAD $short has no body";
	is $h->header('Content-Type'), $g->header('Content-Type'), "HEAD $short has the Content-Type of GET";
	is $h->header('Content-Length'), $g->header('Content-Length'), "HEAD $short has the Content-Length of GET";
	is common_fault($h), '', "HEAD $short carries the common headers";
	is common_fault($g), '', "GET $short carries the common headers";
}

# No coding, whatever the client would take
for my $p ('/v2/', '/v2/_catalog', '/v2/team/app/tags/list', '/v2/team/app/manifests/1.0', "/v2/team/app/blobs/$blob",
	"/v2/team/app/referrers/$digest", '/v2/nothing') {
	$r = $s->req('GET', $p, headers => ['Accept-Encoding' => 'gzip, deflate, br']);
	ok !defined $r->header('Content-Encoding'), 'no Content-Encoding where the client accepts gzip: ' . substr $p, 0, 30;
}

done_testing;
