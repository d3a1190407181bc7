#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Percent-encoding, double slashes and dot segments: decoded once, and nothing outside the grammar touched.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($d, $text) = $s->push_image('team/app', 'v1.0', layers => ['layer']);
$s->push_image('app', 'v1.0', layers => ['layer']);
my $blob = sha256('layer');
(my $colon = $d) =~ s/:/%3A/;
(my $lower = $d) =~ s/:/%3a/;
(my $bcolon = $blob) =~ s/:/%3A/;

# Fine
is $s->req('GET', "/v2/team/app/manifests/$colon")->body, $text, '%3A in a digest is a colon';
is $s->req('GET', "/v2/team/app/manifests/$lower")->body, $text, '%3a in a digest is a colon';
is $s->req('GET', "/v2/team/app/blobs/$bcolon")->body, 'layer', '%3A in the digest of a blob is a colon';
is $s->req('GET', '/v2/te%61m/%61pp/manifests/v1%2e0')->body, $text, 'encoded letters and a dot inside a tag are decoded';
is $s->req('GET', '/v2/team/app/%6Danifests/v1.0')->body, $text, 'an encoded letter in a route word is decoded';
is $s->req('GET', '/v2/team/app/tags/list?n=%31')->body, qq({"name":"team/app","tags":["v1.0"]}\n), 'a query value is decoded';
my $r = $s->req('POST', "/v2/other/app/blobs/uploads/?mount=$bcolon&from=team%2Fapp");
is $r->status, 201, '%2F and %3A in a query are normal';

# An encoded slash in the name of a repository
for my $name ('team%2Fapp', 'team%2fapp', 'te%61m%2F%61pp') {
	is $s->req('GET', "/v2/$name/manifests/v1.0")->body, $text, "$name is team/app";
	is $s->req('GET', "/v2/$name/blobs/$bcolon")->body, 'layer', 'for its blobs';
	is $s->req('GET', "/v2/$name/blobs/$blob", headers => [Range => 'bytes=1-2'])->body, 'ay', 'and ranges of them';
	is $s->req('HEAD', "/v2/$name/blobs/$blob")->status, 200, 'and HEAD';
	is $s->req('GET', "/v2/$name/tags/list")->body, qq({"name":"team/app","tags":["v1.0"]}\n), 'and its tags';
	is $s->req('GET', "/v2/$name/referrers/$d")->status, 200, 'and referrers';
	my $r = $s->req('POST', "/v2/$name/blobs/uploads/");
	like path_of($r->header('Location')), qr{^/v2/team/app/blobs/uploads/[0-9a-f-]{36}$}, 'an upload has its Location at the name';
	my $up = path_of($r->header('Location')) =~ s{team/app}{$name}r;
	is $s->req('PATCH', $up, body => 'a')->status, 202, 'and is the same under both';
	is $s->req('PUT', "$up?digest=" . sha256("ab$name"), body => "b$name")->status, 201, 'to its end';
	is $s->req('PUT', "/v2/$name/manifests/again", body => $text)->status, 201, 'a manifest is pushed to it';
	is $s->req('DELETE', "/v2/$name/manifests/again")->status, 202, 'and its tag deleted';
}
is $s->req('GET', '/v2/team%2Fapp/tags/list?n=0')->json->{name}, 'team/app', 'a list has the name';
ok wait_for { grep { ($_->{repository} // '') eq 'team/app' && $_->{status} == 202 && $_->{method} eq 'DELETE' } $s->log_events }, 'the log has the name';
is scalar(grep { ($_->{repository} // '') =~ /%/ } $s->log_events), 0, 'and nothing encoded';

# raw - the status of a request line sent as it is, and the response
sub send_path {
	my ($m, $p, $body) = @_;
	$body //= '';
	my $len = $m eq 'GET' || $m eq 'HEAD' ? '' : 'Content-Length: ' . length($body) . "\r\nContent-Type: " . OCI_MANIFEST . "\r\n";
	return $s->raw("$m $p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$len\r\n$body");
}

my $before = $s->tree_digest;
my @bad = (
	"/v2/team%2Fapp%2Fmanifests/v1.0", '/v2/team%2F%2Fapp/tags/list', '/v2/%2Fteam/app/tags/list', '/v2/team/app%2F/tags/list', '/v2/team%2Fapp/manifests%2Fv1.0', '/v2/team%2f%2e%2e%2fteam/app/tags/list', '/v2/team%2Fapp%00/tags/list',
	"/v2/team/app%2Fmanifests/v1.0", '/v2/team/app/manifests%2Fv1.0', '/v2/team/app/tags%2Flist',
	"/v2/team/app/blobs%2F$blob", '/v2%2Fteam/app/tags/list', '/v2/team/app/blobs%2Fuploads/', '/v2/team%252Fapp/manifests/v1.0', '/v2/te%2561m/app/tags/list',
	'/v2/team/app%00/tags/list', '/v2/team/app/manifests/v1.0%00', '/v2/team%00/app/manifests/v1.0', "/v2/team/app/blobs/$blob%00", '/v2/team/app/manifests/%00',
	'/v2/team/app%0a/tags/list', '/v2/team/app/manifests/v1.0%0d%0aX-Y:1', '/v2/team/app/manifests/v1.0%1f', '/v2/team/app/manifests/v1.0%7f', '/v2/team/app/manifests/%09v1.0',
	'/v2/x/../team/app/manifests/v1.0', '/v2/x/%2e%2e/team/app/manifests/v1.0', '/v2/x/.%2e/team/app/manifests/v1.0', '/v2/x/%2E./team/app/tags/list',
	'/v2/./team/app/manifests/v1.0', '/v2/%2e/team/app/manifests/v1.0', '/v2/team/./app/tags/list', '/v2/team/app/../app/tags/list', '/v2/team/%2e%2e/app/tags/list',
	'/v2/team/app/manifests/..', '/v2/team/app/manifests/.', '/v2/team/app/manifests/%2e%2e', '/v2/team/app/manifests/%2e', '/v2/team/app/manifests/../manifests/v1.0',
	'/v2/team/app/manifests/..%2f..%2f', '/v2/../../../../etc/passwd', '/v2/%2e%2e/%2e%2e/etc/passwd', '/v2/..%2f..%2fetc/passwd', '/../v2/team/app/tags/list',
	'/x/../v2/team/app/manifests/v1.0', '/v2/team//app/manifests/v1.0', '/v2//team/app/manifests/v1.0', '/v2/team/app//manifests/v1.0', '/v2/team/app/manifests//v1.0',
	'//v2/team/app/manifests/v1.0', '/v2/team/app/tags//list', '/v2/team/app/manifests/v1.0/', '/v2/team/app/tags/list/.', '/v2/team/app/tags/list/..',
	'/v2/team/app/tags/list%3Fn=1', '/v2/team/app/blobs/uploads/..', '/v2/team/app/blobs/uploads/%2e%2e', '/v2/team/app/blobs/uploads/../uploads/', '/v2/team/app/blobs/%2e%2e/blobs/' . $blob,
);
for my $p (@bad) {
	(my $short = $p) =~ s/[0-9a-f]{60,}/.../g;
	for my $m (qw(GET PUT POST DELETE PATCH)) {
		$r = send_path($m, $p, $m eq 'PUT' ? $text : $m eq 'GET' ? undef : 'x');
		my $st = $r ? $r->status : 'nothing';
		# a method that no route has may be refused first, where nothing of the path has been believed yet
		like $st, qr/^(400|404|405)$/, "$m $short is refused" if $m ne 'GET';
		like $st, qr/^40[04]$/, "GET $short is 400 or 404" if $m eq 'GET';
		ok $r && $r->code, "$m $short gets the error JSON" if $r && $st != 405;
	}
}
is $s->tree_digest, $before, 'none of them changes anything on disk';
ok !-e $s->root . '/../x', 'and nothing beside the store';

for my $p ('/v2/team/app/manifests/v1.0%', '/v2/team/app/manifests/%4', '/v2/team/%zz/tags/list', '/v2/team/app/manifests/%u0041') {
	$r = send_path('GET', $p);
	error_is $r, 400, undef, "GET $p, an escape that is none, is 400";
}

# queries
for my $c (['a NUL in last', '/v2/_catalog?last=a%00b'], ['a newline in last', '/v2/_catalog?last=a%0ab'], ['a control byte in last of tags', '/v2/team/app/tags/list?last=%1f']) {
	$r = $s->req('GET', $c->[1]);
	error_is $r, 400, undef, "$c->[0] is 400";
}
is $s->req('GET', '/v2/_catalog?last=other%2Fapp')->body, qq({"repositories":["team/app"]}\n), '%2F in last is a slash';
is $s->req('GET', '/v2/_catalog?last=other%252Fapp')->json->{repositories}[0], 'other/app', 'a query value is decoded once: other%2Fapp comes before other/app';
is_deeply $s->req('GET', '/v2/_catalog?n=1&n=2')->json->{repositories}, ['app'], 'of a repeated parameter the first counts';

$s->stop;

# rights: of the name, however it is spelled
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(alice => 'a'));
$s = Berth::Server->start(config => "auth = { htpasswd = \"$dir/htpasswd\"; access = ( " . rule('alice', 'team/*', 'push') . ' ); token = { enabled = "on"; }; };');
my @alice = basic('alice', 'a');
is $s->req(GET => "/v2/$_/tags/list", headers => [@alice])->status, 404, "alice may pull from $_" for 'team/app', 'team%2Fapp';
is $s->req(GET => "/v2/$_/tags/list", headers => [@alice])->status, 403, "but not from $_" for 'secret/app', 'secret%2Fapp', 'team%2Fapp/x', 'team%2Fapp%2Fx';
is $s->req(POST => "/v2/$_/blobs/uploads/?digest=" . sha256('x'), body => 'x', headers => [@alice])->status, 403, "nor push to $_" for 'secret/app', 'secret%2Fapp';
is $s->req(POST => '/v2/team%2Fapp/blobs/uploads/?digest=' . sha256('x'), body => 'x', headers => [@alice])->status, 201, 'and push to team%2Fapp';
like $s->req(GET => '/v2/team%2Fapp/tags/list')->header('WWW-Authenticate'), qr{scope="repository:team/app:pull"}, 'a challenge names the repository';

done_testing;
