#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# CORS: off until it is switched on; then for the origins that are named, on every answer of /v2/ and nowhere else. And http.headers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my @cors = qw(Access-Control-Allow-Origin Access-Control-Expose-Headers Access-Control-Allow-Methods
	Access-Control-Allow-Headers Access-Control-Allow-Credentials Access-Control-Max-Age Vary);

# the headers of an answer that concern CORS, as a hash
sub cors { my ($r) = @_; return { map { defined $r->header($_) ? ($_ => $r->header($_)) : () } @cors } }

my $s = Berth::Server->start;
is_deeply cors($s->req('GET', '/v2/', headers => [Origin => 'https://ui.example'])), {}, 'without a setting no answer speaks of it';
is_deeply cors($s->req('OPTIONS', '/v2/_catalog', headers => [Origin => 'https://ui.example', 'Access-Control-Request-Method' => 'GET'])),
	{}, 'nor does a preflight';
$s->stop;

$s = Berth::Server->start(config => 'http = { cors = "https://ui.example,http://localhost:8080"; };');
my $blob = $s->push_blob('app', 'some bytes');
for my $path ('/v2/', '/v2/_catalog', '/v2/none/tags/list', "/v2/app/blobs/$blob", '/v2/app/blobs/sha256:0', '/v2/' . 'x' x 300 . '/tags/list') {
	for my $origin ('https://ui.example', 'http://localhost:8080') {
		my $r = $s->req('GET', $path, headers => [Origin => $origin]);
		is $r->header('Access-Control-Allow-Origin'), $origin, "GET $path tells $origin that it may";
		is scalar(my @all = $r->headers('Access-Control-Allow-Origin')), 1, 'once';
		like $r->header('Access-Control-Expose-Headers'), qr/Docker-Content-Digest.*ETag/, 'and which headers it may see';
		is $r->header('Access-Control-Allow-Credentials'), 'true', 'and that a login may be sent along';
		is $r->header('Vary'), 'Origin', 'and that this depends on the origin';
	}
	for my $origin ('https://ui.example.evil', 'http://ui.example', 'null', 'https://UI.example', 'HTTPS://ui.example', 'https://uixexample', 'https://ui.example:443', '*', ',', '1') {
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
like $r->header('Access-Control-Allow-Headers'), qr/\bCache-Control\b/, 'all that web pages send';
is $r->header('Access-Control-Allow-Origin'), 'https://ui.example', 'for the origin that asked';
is $r->header('Access-Control-Allow-Credentials'), 'true', 'also with a login';
my @ui = (Origin => 'https://ui.example');
for my $path ('/', '/nowhere', '/healthz', '/v2', '/v2/../healthz', '/v2/../', '/v2x/', '/_berth/request', '/%76%31/') {
	is_deeply cors($s->req($_, $path, headers => [@ui, 'Access-Control-Request-Method' => 'GET'])), {}, "$_ $path is not for web pages" for 'GET', 'OPTIONS', 'POST';
}
# answers that workers do not give, or not in that way
my $none = '/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000';
for my $c ([416, GET => "/v2/app/blobs/$blob", headers => [Range => 'bytes=90-']], [404, PATCH => $none, body => 'x'], [413, POST => '/v2/app/blobs/uploads/', body => 'x' x 70_000],
	[206, GET => "/v2/app/blobs/$blob", headers => [Range => 'bytes=1-2']], [404, PUT => "$none?digest=x", body => 'x'], [405, PATCH => '/v2/app/tags/list'], [200, HEAD => '/v2/']) {
	my ($status, $method, $path, %o) = @$c;
	$r = $s->req($method, $path, %o, headers => [@{ $o{headers} // [] }, @ui]);
	is $r->status . ' ' . join('|', $r->headers('Access-Control-Allow-Origin'), $r->headers('Access-Control-Allow-Credentials')), "$status https://ui.example|true", "$status to $method can be read";
}
$s->stop;

# a login
my $dir = tmp_dir();
chmod 0755, $dir;
spew("$dir/htpasswd", htpasswd(alice => 'a'));
for my $c (['berth', "auth = { htpasswd = \"$dir/htpasswd\"; };\n"], ['nginx', "auth = { remote_user = true; };\n", nginx_args => ['with=basic', "passwords=$dir/htpasswd"]]) {
	my ($who, $config, @more) = @$c;
	$s = Berth::Server->start(config => "http = { cors = \"https://ui.example\"; };\n$config", @more);
	for my $path ('/v2/', '/v2/app/tags/list') {
		$r = $s->req(OPTIONS => $path, headers => [@ui, 'Access-Control-Request-Method' => 'GET', 'Access-Control-Request-Headers' => 'authorization']);
		is $r->status . ' ' . $r->header('Access-Control-Allow-Origin') . ' ' . $r->header('Access-Control-Allow-Credentials'), '204 https://ui.example true', "$who answers a preflight of $path without a login";
		$r = $s->req(GET => $path, headers => [@ui]);
		is $r->status . ' ' . $r->header('Access-Control-Allow-Origin') . ' ' . $r->header('Access-Control-Allow-Credentials'), '401 https://ui.example true', "a web page can read the 401 of $who";
		ok defined $r->header('WWW-Authenticate'), 'with its challenge';
		is $s->req(GET => $path, headers => [@ui, basic('alice', 'x')])->status, 401, 'a wrong login is refused';
	}
	is $s->req(GET => '/v2/', headers => [@ui, basic('alice', 'a')])->status, 200, 'the right one is not';
	is $s->req(PUT => '/v2/app/manifests/x', body => '{', headers => [@ui])->header('Access-Control-Allow-Credentials'), 'true', 'a refusal before the body can be read, too';
	$s->stop;
}

$s = Berth::Server->start(config => 'http = { cors = "*"; };');
$r = $s->req('GET', '/v2/', headers => [Origin => 'https://anybody.example']);
is $r->header('Access-Control-Allow-Origin'), '*', 'all origins may where all are named';
is $r->header('Vary'), undef, 'and it depends on nothing';
is $r->header('Access-Control-Allow-Credentials'), undef, 'but no login is sent along';
is $s->req('OPTIONS', '/v2/', headers => [Origin => 'https://anybody.example'])->header('Access-Control-Allow-Credentials'), undef, 'nor does a preflight allow it';
is_deeply cors($s->req('GET', '/healthz', headers => [Origin => 'https://anybody.example'])), {}, 'and nothing but /v2/ is for them';
$s->stop;

# more headers
$s = Berth::Server->start(config => 'http = { headers = "Strict-Transport-Security: max-age=5; includeSubDomains|X-Frame-Options: DENY|X-Odd: %a\'b\' 100% #c{}@RUN@"; };');
my $odd = $s->push_blob('app', 'more bytes');
for my $path ('/v2/', '/', '/nowhere', "/v2/app/blobs/$odd", '/v2/app/manifests/none', '/healthz') {
	my $r = $s->req(GET => $path);
	is join('|', map { $r->headers($_) } 'Strict-Transport-Security', 'X-Frame-Options', 'X-Odd'), "max-age=5; includeSubDomains|DENY|%a'b' 100% #c{}\@RUN\@", "GET $path has the headers of http.headers, once";
}
$s->stop;
like run(source_dir() . '/nginx/render', "$dir/run", 'listen=1', 'root=/x', 'workers=unix:/x', "headers=$_")->{err}, qr{^nginx/render: .*headers}, "render takes no $_" for 'A: b', 'A:%040$x', 'A:%040%044x', 'A:%040"';

for my $bad ('ui.example', 'https://', 'https://a b', 'https://a,', ',https://a', 'https://a/', 'ftp://a', 'https://a;', '*,https://a', 'https://a$x') {
	my $f = spew("$dir/bad.conf", "http = { cors = \"$bad\"; };\n");
	my $c = run(program('berth'), '--config', $f, 'config', 'check');
	is $c->{status}, 2, "\"$bad\" is no list of origins";
	like $c->{err}, qr/bad\.conf:1: "http\.cors" must be/, 'and that is said with file and line';
}
done_testing;
