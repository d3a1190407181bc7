#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# CORS: off until it is switched on; then for the origins that are named, on every answer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

my @cors = qw(Access-Control-Allow-Origin Access-Control-Expose-Headers Access-Control-Allow-Methods
	Access-Control-Allow-Headers Access-Control-Max-Age Vary);

# the headers of an answer that concern CORS, as a hash
sub cors { my ($r) = @_; return { map { defined $r->header($_) ? ($_ => $r->header($_)) : () } @cors } }

my $s = Berth::Server->start;
is_deeply cors($s->req('GET', '/v2/', headers => [Origin => 'https://ui.example'])), {}, 'without a setting no answer speaks of it';
is_deeply cors($s->req('OPTIONS', '/v2/_catalog', headers => [Origin => 'https://ui.example', 'Access-Control-Request-Method' => 'GET'])),
	{}, 'nor does a preflight';
$s->stop;

$s = Berth::Server->start(config => 'http = { cors = "https://ui.example,http://localhost:8080"; };');
my $blob = $s->push_blob('app', 'some bytes');
for my $path ('/v2/', '/v2/_catalog', '/v2/none/tags/list', "/v2/app/blobs/$blob", '/nowhere', '/') {
	for my $origin ('https://ui.example', 'http://localhost:8080') {
		my $r = $s->req('GET', $path, headers => [Origin => $origin]);
		is $r->header('Access-Control-Allow-Origin'), $origin, "GET $path tells $origin that it may";
		is scalar(my @all = $r->headers('Access-Control-Allow-Origin')), 1, 'once';
		like $r->header('Access-Control-Expose-Headers'), qr/Docker-Content-Digest/, 'and which headers it may see';
		is $r->header('Vary'), 'Origin', 'and that this depends on the origin';
	}
	for my $origin ('https://ui.example.evil', 'http://ui.example', 'null', 'https://UI.example/') {
		my $r = $s->req('GET', $path, headers => [Origin => $origin]);
		is_deeply cors($r), { Vary => 'Origin' }, "GET $path does not tell $origin";
	}
	is_deeply cors($s->req('GET', $path)), { Vary => 'Origin' }, "GET $path without an origin says that it would depend on it";
}
my $r = $s->req('OPTIONS', '/v2/app/manifests/x',
	headers => [Origin => 'https://ui.example', 'Access-Control-Request-Method' => 'DELETE', 'Access-Control-Request-Headers' => 'authorization']);
is $r->status, 204, 'a preflight is answered';
like $r->header('Access-Control-Allow-Methods'), qr/\bDELETE\b/, 'with the methods';
like $r->header('Access-Control-Allow-Headers'), qr/\bAuthorization\b/, 'and the headers';
is $r->header('Access-Control-Allow-Origin'), 'https://ui.example', 'for the origin that asked';
$s->stop;

$s = Berth::Server->start(config => 'http = { cors = "*"; };');
$r = $s->req('GET', '/v2/', headers => [Origin => 'https://anybody.example']);
is $r->header('Access-Control-Allow-Origin'), '*', 'all origins may where all are named';
is $r->header('Vary'), undef, 'and it depends on nothing';
$s->stop;

my $dir = tmp_dir();
for my $bad ('ui.example', 'https://', 'https://a b', 'https://a,', ',https://a', 'https://a/', 'ftp://a', 'https://a;', '*,https://a', 'https://a$x') {
	my $f = spew("$dir/bad.conf", "http = { cors = \"$bad\"; };\n");
	my $c = run(program('berth'), '--config', $f, 'config', 'check');
	is $c->{status}, 2, "\"$bad\" is no list of origins";
	like $c->{err}, qr/bad\.conf:1: "http\.cors" must be/, 'and that is said with file and line';
}
done_testing;
