#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# How clients are told to log in: one challenge, whose URL nobody but the configuration and the host that was asked decides.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(alice => 'a'));
my $auth = "htpasswd = \"$dir/htpasswd\"; realm = \"R\"; access = ( " . rule('@anonymous', 'public/**', 'pull') . ', ' . rule('alice', '**', 'push delete') . ' );';
my $s = Berth::Server->start(config => "delete = true; auth = { $auth };\n", workers => 2);
my $fcgi = Berth::FCGI->new($s->worker_socket);
my $url = $s->url . '/v2/token';
my $digest = sha256('x');
my $c;

is $s->req(GET => '/v2/')->header('WWW-Authenticate'), "Bearer realm=\"$url\",service=\"berth\"", 'at /v2/ no scope';
for my $case ([GET => 'a/manifests/1', 'a:pull'], [HEAD => "a/blobs/$digest", 'a:pull'], [GET => 'a/tags/list', 'a:pull'], [GET => "a/referrers/$digest", 'a:pull'],
	[PUT => 'a/b/manifests/1', 'a/b:pull,push'], [POST => 'a/blobs/uploads/', 'a:pull,push'], [POST => "a/blobs/uploads/?digest=$digest", 'a:pull,push'],
	[PATCH => 'a/blobs/uploads/11111111-2222-4333-8444-555555555555', 'a:pull,push'], [GET => 'a/blobs/uploads/11111111-2222-4333-8444-555555555555', 'a:pull,push'],
	[DELETE => 'a/blobs/uploads/11111111-2222-4333-8444-555555555555', 'a:pull,push'], [DELETE => 'a/manifests/1', 'a:delete'], [DELETE => "a/blobs/$digest", 'a:delete'],
	[POST => "a/blobs/uploads/?mount=$digest&from=b/c", 'a:pull,push repository:b/c:pull'], [POST => "a/blobs/uploads/?mount=$digest&from=b%2Fc", 'a:pull,push repository:b/c:pull'],
	[POST => "a/blobs/uploads/?mount=$digest&from=B%22,error=", 'a:pull,push'], [POST => "a/blobs/uploads/?from=b", 'a:pull,push']) {
	my ($method, $path, $scope) = @$case;
	is_deeply challenge($s->req($method, "/v2/$path", body => '')), { scheme => 'Bearer', realm => $url, service => 'berth', scope => "repository:$scope" }, "$method $path";
}
is challenge($s->req(GET => '/v2/_catalog', headers => [basic('alice', 'wrong')]))->{scope}, 'registry:catalog:*', 'the catalog';
$c = challenge($s->req(GET => '/v2/a/tags/list', headers => [basic('alice', 'wrong')]));
is "$c->{scheme} $c->{scope}", 'Bearer repository:a:pull', 'a wrong password is challenged alike';
ok !exists $c->{error}, 'without an error, which is for tokens';
is $s->req(GET => '/v2/a/tags/list', headers => [basic('alice', 'a')])->status, 404, 'a password does, whatever the challenge is';
is $s->req(GET => '/v2/public/x/tags/list', headers => [basic('alice', 'wrong')])->status, 401, 'a wrong one does not do where none is needed';

# Host
sub of { my ($host, @more) = @_; return challenge($s->req(GET => '/v2/', headers => [Host => $host, @more])) }
is of($_)->{realm}, "http://$_/v2/token", "Host: $_ is given back" for 'registry.example', 'Registry.Example:5000', '10.0.0.1:80', '[::1]', '[2001:db8::1]:5000', 'a_b';
for my $host ('a"b', 'a/b', 'a b', 'a@b', 'user:pw@b', 'a:b', 'a:', 'a:123456', '[::1', '[::1]x', '[x]', 'a,b', 'a?b', 'a#b', 'a%41', "a\tb", '<script>', "\xc3\xa4", 'x' x 300, 'a",error="b') {
	my $r = $s->req(GET => '/v2/', headers => [Host => $host]);
	next if $r->status == 400;              # nginx's word
	is_deeply challenge($r), { scheme => 'Basic', realm => 'R', charset => 'UTF-8' }, 'Host: ' . substr($host, 0, 20) . ' gives no URL';
}
my %param = (REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/', REQUEST_SCHEME => 'http', REMOTE_ADDR => '127.0.0.1');
for my $host (undef, '', 'a"b', "a\nb", "a b", 'x' x 300, 'a",error="b') {
	is $fcgi->request(params => { %param, defined $host ? (HTTP_HOST => $host) : () })->header('WWW-Authenticate'), 'Basic realm="R",charset="UTF-8"', 'whatever nginx lets through';
}
is $fcgi->request(params => { %param, HTTP_HOST => 'h', REQUEST_SCHEME => $_->[0] })->header('WWW-Authenticate'), "Bearer realm=\"$_->[1]://h/v2/token\",service=\"berth\"",
	"the scheme $_->[0] is $_->[1]" for ['https', 'https'], ['ftp', 'http'], ['', 'http'];
is $s->req(GET => '/v2/', http => '1.0', headers => [Host => undef])->header('WWW-Authenticate'), 'Basic realm="R",charset="UTF-8"', 'no Host at all';

is $fcgi->request(params => { %param, HTTP_HOST => 'h', BERTH_FORWARDED_HOST => $_->[0] })->header('WWW-Authenticate'), "Bearer realm=\"http://$_->[1]/v2/token\",service=\"berth\"",
	"the host that a trusted proxy names, '$_->[0]', gives $_->[1]" for ['outer.example:8443', 'outer.example:8443'], ['', 'h'], ['a"b', 'h'];

# X-Forwarded-Proto
is of('h', 'X-Forwarded-Proto' => 'https')->{realm}, 'http://h/v2/token', 'X-Forwarded-Proto is not believed by itself';
reconfigure($s, "auth = { $auth token = { proxies = \"127.0.0.2,127.9.0.0/16\"; }; };\n");
sub by { my ($from, @h) = @_; return challenge($s->req(GET => '/v2/', from => $from, headers => [Host => 'h', @h]))->{realm} }
is by('127.0.0.2', 'X-Forwarded-Proto' => 'https'), 'https://h/v2/token', 'it is from a proxy that is named';
is by('127.9.1.2', 'X-Forwarded-Proto' => 'https'), 'https://h/v2/token', 'or in a network that is';
is by('127.0.0.1', 'X-Forwarded-Proto' => 'https'), 'http://h/v2/token', 'but not from another address';
is by('127.0.0.2'), 'http://h/v2/token', 'without it the scheme is that of the request';
is by('127.0.0.2', 'X-Forwarded-Proto' => $_), 'http://h/v2/token', "\"$_\" is none" for 'ftp', 'https://evil.example/', 'HTTPS', 'https, http', '';
is by('127.0.0.2', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'evil.example'), 'https://h/v2/token', 'X-Forwarded-Host is never believed';

# A URL that is configured
reconfigure($s, "auth = { $auth token = { realm = \"https://registry.example/v2/token\"; service = \"registry.example\"; }; };\n");
is of('h')->{realm}, 'https://registry.example/v2/token', 'a URL that is configured is the URL';
is of('a"b')->{realm}, 'https://registry.example/v2/token', 'whatever Host says';
is of('h')->{service}, 'registry.example', 'with the service';

# Where tokens are off
reconfigure($s, "auth = { $auth token = { enabled = \"off\"; }; };\n");
is $s->req(GET => '/v2/')->header('WWW-Authenticate'), 'Basic realm="R",charset="UTF-8"', 'without tokens the challenge is Basic';
is $s->req(GET => '/v2/a/tags/list')->header('WWW-Authenticate'), 'Basic realm="R",charset="UTF-8"', 'and the same everywhere';
done_testing;
