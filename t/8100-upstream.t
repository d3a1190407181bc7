#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The scripted upstream of the tests behaves as it is told, counts what it is asked, and is a registry that a real client can pull from.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Berth::Test;
use Berth::Check;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $bytes = random_bytes(300_000);
my $i = $u->image('library/app', '1', layers => [$bytes]);
my ($m, $b) = ('/v2/library/app/manifests/1', "/v2/library/app/blobs/$i->{layers}[0]");

# with - the answer to a request while a rule stands
sub with
{
	my ($what, $method, $path, %o) = @_;
	my $rule = $u->rule("^$method ", $what);
	my $r = $u->req($method => $path, may_close => 1, %o);

	$u->drop($rule);
	return $r;
}

# --- without rules
my $r = $u->req(GET => $m);
is $r->status . $r->body, "200$i->{json}", 'a manifest by its tag';
headers_are $r, { 'Docker-Content-Digest' => $i->{digest}, 'Content-Type' => OCI_MANIFEST, Etag => qq("$i->{digest}") }, 'with what registries say of it';
is $u->req(HEAD => $m)->header('Content-Length'), length $i->{json}, 'HEAD';
is $u->req(HEAD => $m, headers => ['If-None-Match' => qq("$i->{digest}")])->status, 304, 'and 304, where it is known';
is $u->req(GET => $m, headers => [Accept => DOCKER_MANIFEST])->status, 404, 'who accepts another type does not get it';
is $u->req(GET => $b)->body, $bytes, 'a blob';
$r = $u->req(GET => $b, headers => [Range => 'bytes=299990-']);
is join(' ', $r->status, $r->header('Content-Range'), $r->body eq substr $bytes, 299_990), '206 bytes 299990-299999/300000 1', 'and a part of it';
is $u->req(GET => $b, headers => [Range => 'bytes=300000-'])->status, 416, 'none beyond its end';
my $j = $u->image('library/other', '1');
is $u->req(GET => "/v2/library/app/blobs/$j->{layers}[0]")->status, 404, 'a blob of another repository is not here';
is $u->req(GET => '/v2/library/app/manifests/none')->status, 404, 'nor is a tag that nobody made';
my $big = $u->big_blob('library/app', 3_000_000);
is sha256($u->req(GET => "/v2/library/app/blobs/$big")->body), $big, 'a blob of a size';
$u->tag('library/app', $_, $i->{digest}) for 2 .. 4;
$r = $u->req(GET => '/v2/library/app/tags/list?n=2&last=1');
is_deeply [$r->json, $r->header('Link')], [{ name => 'library/app', tags => [2, 3] }, '</v2/library/app/tags/list?n=2&last=3>; rel="next"'], 'tags, by the page';
my $s = $u->image('library/app', undef, more => qq(,"subject":{"mediaType":"$i->{type}","size":1,"digest":"$i->{digest}"}));
is_deeply [map { $_->{digest} } @{ $u->req(GET => "/v2/library/app/referrers/$i->{digest}")->json->{manifests} }], [$s->{digest}], 'referrers';

# --- counts
ok $u->settled, 'no request is under way';
$u->forget;
$u->req(GET => $b);
$u->req(GET => $b);
$u->req(GET => $m);
$u->settled;
is join(' ', $u->count('GET blob'), $u->count('GET manifest'), $u->count, $u->sent('GET blob')), '2 1 3 600000', 'requests and bytes are counted by their kind';

# --- another answer
is with({ status => 429, headers => { 'Retry-After' => 7 } }, GET => $m)->header('Retry-After'), 7, 'a status';
is with({ $_ => 1 }, GET => $m), undef, "no answer ($_)" for qw(close reset);
$r = with({ raw => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc" }, HEAD => $m);
is scalar($r->headers('Content-Length')), 2, 'bytes as they are';
is with({ digest => '' }, HEAD => $m)->header('Docker-Content-Digest'), undef, 'without Docker-Content-Digest';
is length with({ big_header => 100_000 }, HEAD => $m)->header('X-Long'), 100_000, 'a long header';
$r = with({ chunked => 1 }, GET => $m);
is $r->body . ($r->header('Transfer-Encoding') // ''), "$i->{json}chunked", 'in chunks';
$r = with({ no_length => 1 }, GET => $b);
is join(' ', $r->body eq $bytes, $r->header('Content-Length') // 'none'), '1 none', 'without a length';
$r = with({ gzip => 1 }, GET => $b);
is $r->header('Content-Encoding'), 'gzip', 'compressed';
$r = with({ flip_at => 299_999 }, GET => $b);
is length($r->body) . '=' . (sha256($r->body) eq $i->{layers}[0] ? 'right' : 'wrong'), '300000=wrong', 'wrong bytes';
is length with({ cut => 1000 }, GET => $b)->body, 1000, 'fewer bytes';
is length with({ close_at => 200_000 }, GET => $b)->body, 200_000, 'an end in the midst';
$r = with({ reset_at => 200_000 }, GET => $b);
ok !$r || $r->truncated, 'a reset in the midst';
is with({ bad_range => 1 }, GET => $b, headers => [Range => 'bytes=10-19'])->body, substr($bytes, 9, 10), 'another part';
is with({ no_ranges => 1 }, GET => $b, headers => [Range => 'bytes=10-19'])->status, 200, 'all instead of a part';
is with({ status => 405 }, HEAD => $m)->status, 405, 'no HEAD';
is length with({ drip => [100_000, 0.01] }, GET => $b)->body, 300_000, 'drop by drop';
my $rule = $u->rule('^GET .*/blobs/', { endless => 1 });
my $sock = $u->sock;
syswrite $sock, "GET $b HTTP/1.1\r\nHost: x\r\n\r\n";
my $got = 0;
while ($got < 5_000_000) {
	$got += sysread($sock, my $piece, 1 << 16) || die 'it has ended';
}
close $sock;
cmp_ok $got, '>=', 5_000_000, 'without an end';
$u->drop;

# --- hanging, and going on
$u->settled;
$u->forget;
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1000 }, times => 1);
my ($one) = run_parallel(1, sub { return $u->req(GET => $b)->body eq $bytes ? 'whole' : 'not whole' }, sub {
	ok $u->held(1), 'an answer hangs where it is told';
	is $u->req(GET => $b)->body, $bytes, 'the next does not: the rule was for one';
	$u->drop($rule);
});
is $one, 'whole', 'it goes on when the rule is gone';
$rule = $u->rule('^GET ', { status => 500 }, after => 1, times => 1);
is join(' ', map { $u->req(GET => $m)->status } 1 .. 3), '200 500 200', 'a rule for the second request alone';
$u->drop;
$u->down;
ok !eval { $u->req(GET => $m); 1 }, 'nobody listens';
$u->up;
is $u->req(GET => $m)->status, 200, 'and again';

# --- elsewhere
$r = with({ redirect => 307 }, GET => $b);
my $there = $r->header('Location');
like $there, qr{^http://\Q@{[ $u->other ]}\E/cdn/.*\?sig=}, 'a redirect to another host';
sub elsewhere { my $s = $u->sock; return $u->req(GET => $there, @_) }
is elsewhere()->body, $bytes, 'which has it';
is elsewhere(headers => [Authorization => 'Bearer x'])->status, 400, 'but not for who sends a login along';
is with({ redirect => 302, to => 'http://10.0.0.1/x' }, GET => $b)->header('Location'), 'http://10.0.0.1/x', 'a redirect to anywhere';

# --- logins
my $pw = encode_base64('joe:pw', '');
$u->set(auth => { kind => 'basic', users => { joe => 'pw' } });
is $u->req(GET => $m)->status, 401, 'Basic is asked for';
is $u->req(GET => $m, headers => [Authorization => "Basic $pw"])->status, 200, 'and is enough';
$u->set(auth => { users => { joe => 'pw' }, anonymous => 1, private => 'team/.*' });
like $u->req(GET => $m)->header('WWW-Authenticate'), qr{^Bearer realm="http://\Q@{[ $u->host ]}\E/token",service="upstream.test",scope="repository:library/app:pull"$}, 'Bearer';
$u->image('team/secret', '1');
sub token { my ($scope, @more) = @_; return $u->req(GET => "/token?service=upstream.test&scope=repository:$scope:pull", @more)->json->{token} }
sub get { my ($path, $token) = @_; return $u->req(GET => $path, headers => [Authorization => "Bearer $token"])->status }
is get($m, token('library/app')), 200, 'a token of nobody';
is get('/v2/team/secret/manifests/1', token('library/app')), 401, 'is for the repository that it was asked for';
is get('/v2/team/secret/manifests/1', token('team/secret')), 401, 'not for a private one';
is get('/v2/team/secret/manifests/1', token('team/secret', headers => [Authorization => "Basic $pw"])), 200, 'a login is';
is $u->req(GET => '/token?scope=repository:a:pull', headers => [Authorization => 'Basic ' . encode_base64('joe:no', '')])->status, 401, 'with the right password';
$u->set(auth => { users => { joe => 'pw' }, methods => 'POST', member => 'access_token', realm => 'relative', service => undef });
is $u->req(GET => $m)->header('WWW-Authenticate'), 'Bearer realm="/token",scope="repository:library/app:pull"', 'a relative realm, and no service';
is $u->req(GET => '/token')->status, 405, 'a realm that wants POST';
sub posted { return $u->req(POST => '/token', body => 'grant_type=password&username=joe&password=pw&scope=repository:library/app:pull', headers => ['Content-Type' => 'application/x-www-form-urlencoded'])->json->{access_token} }
is get($m, posted()), 200, 'and gets it';
$u->set(auth => { users => { joe => 'pw' }, member => 'access_token', expires => 1 });
my $t = posted();
ok wait_for { get($m, $t) == 401 }, 'a token that ends';

done_testing;
