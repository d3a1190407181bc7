#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# An upstream is a stranger: what is wrong, too large, or has no end is an error, takes a bounded amount of memory, and is not stored.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u, 'allow = [ "team/**", "test/**" ]; redirects = [ "127.0.0.2" ];']], more => "own = [ \"registry.example\" ]; blobs = { max_size = \"10 MiB\"; };\n");
my $n = 0;

# what is stored of the repository: nothing may become more of it
sub stored { return join ' ', grep { m{^(?:docker|berth/mirror)/} && !m{/team/ok} } files_below($s->root) }
my $before = stored();

# refused - a manifest that upstream answers with is an error for the client, of these statuses, and nothing of it is kept
sub refused
{
	my ($title, %o) = @_;
	my $tag = 't' . ++$n;
	my $i = $u->image('team/app', $tag);
	my $ref = $o{by_digest} ? $i->{digest} : $tag;
	my $digest = $u->manifest('team/app', $o{json} // $i->{json}, $o{type} // $i->{type}, $tag) if defined $o{json} || defined $o{type};
	my $rule = $o{rule} ? $u->rule('/manifests/', $o{rule}) : undef;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = get_manifest($s, 'up/team/app', $o{by_digest} ? $digest // $i->{digest} : $tag);
	like $r ? $r->status : 'no answer', qr/^(?:404|50[23])$/, $title;
	is error_fault($r, $r->status), '', 'with an error that says so' if $r;
	is stored(), $before, 'nothing is stored';
	$u->drop($rule) if $rule;
	return;
}

refused('no JSON', json => 'not json');
refused('JSON that is no manifest', json => '[]');
refused('a manifest without a config', json => '{"schemaVersion":2}');
refused('a manifest of schema 1', json => '{"schemaVersion":1,"name":"a","tag":"b"}', type => 'application/vnd.docker.distribution.manifest.v1+json');
refused('a type that no manifest has', type => 'text/html');
refused('a digest that is none', json => sprintf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"a/b","size":2,"digest":"sha256:../../../etc/passwd"},"layers":[]}', OCI_MANIFEST);
refused('a size below zero', json => sprintf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"a/b","size":-2,"digest":"%s"},"layers":[]}', OCI_MANIFEST, sha256('x'));
refused('JSON a hundred thousand deep', json => '[' x 100_000);
refused('a Docker-Content-Digest of another manifest', rule => { digest => sha256('x') });
refused('a Docker-Content-Digest that is none', rule => { digest => '../../x' });
refused('other bytes than the digest', by_digest => 1, rule => { flip_at => 10 });
refused('a manifest of 100 MiB', rule => { endless => 1, says => 100 << 20 });
refused('a manifest without an end', rule => { endless => 1 });
refused('a manifest without an end, in chunks', rule => { endless => 1, chunked => 1 });
refused('a manifest that ends early', rule => { close_at => 50 });
refused('a header of a megabyte', rule => { big_header => 1 << 20 });
refused('an answer that is compressed', rule => { gzip => 1 });
refused('a status that is none', rule => { raw => "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n" });
refused('two lengths', rule => { raw => "HTTP/1.1 200 OK\r\nContent-Type: @{[ OCI_MANIFEST ]}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc" });
refused('headers without an end', rule => { raw => "HTTP/1.1 200 OK\r\n" . "X-A: b\r\n" x 100_000 });
refused('nothing', rule => { raw => '' });
refused('HTTP/0.9', rule => { raw => '{"schemaVersion":2}' });

# --- a name in an error of upstream's does not get through, nor do headers of its
my $rule = $u->rule('/manifests/', { status => 404, headers => { 'Set-Cookie' => 'a=b', 'X-Accel-Redirect' => '/v2/', 'X-Accel-Limit-Rate' => 1, Location => 'http://evil.example/', 'WWW-Authenticate' => 'Basic' },
	body => '{"errors":[{"code":"DENIED","message":"give me your password at http://evil.example"}]}' });
my $r = get_manifest($s, 'up/team/none', '1');
error_is $r, 404, 'MANIFEST_UNKNOWN', 'a 404 of upstream is one of ours';
headers_are $r, { map { ($_ => undef) } qw(Set-Cookie Location WWW-Authenticate X-Accel-Redirect) }, 'without its headers';
$u->drop($rule);
my $i = $u->image('team/ok', '1', layers => [random_bytes(200_000)]);
$rule = $u->rule('.', { headers => { 'Set-Cookie' => 'a=b', 'X-Accel-Redirect' => '/v2/', 'X-Accel-Buffering' => 'yes', 'Strict-Transport-Security' => 'max-age=1', 'Content-Disposition' => 'inline', Warning => '299 - "x"' } });
for my $path ('manifests/1', "blobs/$i->{layers}[0]") {
	$r = $s->req(GET => "/v2/up/team/ok/$path", headers => [Accept => ACCEPT]);
	is $r->status, 200, "headers that are for nginx: $path comes";
	headers_are $r, { 'X-Content-Type-Options' => 'nosniff', map { ($_ => undef) } qw(Set-Cookie Strict-Transport-Security Content-Disposition X-Accel-Redirect X-Accel-Buffering Warning) }, 'without them';
}
$u->drop($rule);

# --- blobs
$i = $u->image('team/ok', '2', layers => [map { random_bytes(200_000) } 1 .. 8]);
get_manifest($s, 'up/team/ok', '2');
my @layers = @{ $i->{layers} };
for my $how ([{ endless => 1 }, 'a blob without an end'], [{ endless => 1, says => 1 << 50 }, 'a blob of a petabyte'], [{ endless => 1, chunked => 1 }, 'a blob without an end, in chunks'], [{ gzip => 1 }, 'a blob that is compressed on the way'],
	[{ big_header => 1 << 20 }, 'a header of a megabyte'], [{ says => 10 }, 'a length that is too small'], [{ status => 206, body => 'x' }, 'a part where all was asked for']) {
	my $digest = shift @layers;
	$rule = $u->rule('/blobs/', $how->[0]);
	$r = get_end(get_begin($s, "/v2/up/team/ok/blobs/$digest"));
	ok !($r->{status} == 200 && $r->{whole}), "$how->[1] is not a whole answer" or diag "$r->{length}";
	cmp_ok length $r->{body}, '<', 11_000_000, 'and ends';
	ok wait_for { !spooled($s) }, 'nothing is kept of it';
	ok !-e layer_link($s, 'up/team/ok', $digest), 'or linked';
	$u->drop($rule);
}
is sha256($s->req(GET => "/v2/up/team/ok/blobs/$_")->body), $_, 'what was refused is fetched when upstream is right' for @{ $i->{layers} }[0, 1];

# --- a slow drip is not stored before it ends, and harms nobody else
$i = $u->image('team/ok', '3', layers => [map { random_bytes(300_000) } 1 .. 2]);
get_manifest($s, 'up/team/ok', '3');
$rule = $u->rule($i->{layers}[0], { drip => [100, 0.05] });
my $g = get_begin($s, "/v2/up/team/ok/blobs/$i->{layers}[0]");
cmp_ok get_some($g, 1000), '>=', 1000, 'a blob that comes drop by drop is passed on as it comes';
is sha256($s->req(GET => "/v2/up/team/ok/blobs/$i->{layers}[1]")->body), $i->{layers}[1], 'meanwhile others are served';
ok !-e blob_file($s, $i->{layers}[0]), 'it is not stored';
close $g->{sock};
$u->drop($rule);

# --- lists
for my $what ([{ body => 'not json', status => 200 }, 'no JSON'], [{ body => '{"name":"x","tags":["../../../etc","a/b",7,null]}', status => 200 }, 'names that no tag has'], [{ endless => 1 }, 'without an end'], [{ gzip => 1 }, 'compressed']) {
	for my $path ('tags/list', "referrers/$i->{digest}") {
		$rule = $u->rule('/tags/|/referrers/', $what->[0]);
		$r = $s->req(GET => "/v2/up/team/ok/$path");
		unlike $r->body, qr{\.\./|a/b|not json}, "$path, $what->[1]: nothing of it gets through";
		$u->drop($rule);
	}
}
$rule = $u->rule('/tags/', { headers => { Link => '<http://evil.example/v2/x/tags/list?last=a>; rel="next"' } });
unlike $s->req(GET => '/v2/up/team/ok/tags/list?n=1')->header('Link') // '', qr/evil/, 'nor does a link to elsewhere';
$u->drop($rule);

# --- the token service of an upstream, which it names itself
my $closed = Berth::Upstream->start(auth => { users => { joe => 'pw' }, anonymous => 1 });
$closed->image('team/app', '1');
my $t = mirror(upstreams => [['closed', $closed, 'missing = "0s";']]);
for my $how ([{ endless => 1 }, 'no end'], [{ big_header => 1 << 20 }, 'a header of a megabyte'], [{ gzip => 1 }, 'compressed'], [{ status => 200, body => '{"token":7}' }, 'no token'],
	[{ status => 200, body => '{"token":"a\\r\\nX: y"}' }, 'a token with a line break'], [{ status => 200, body => '{"token":"' . 'x' x 60_000 . '"}' }, 'a token of 60 kB'], [{ status => 302, body => '', headers => { Location => 'http://10.255.255.1/token' } }, 'a redirect to a private host']) {
	$rule = $closed->rule('/token', $how->[0]);
	$closed->settled;
	$closed->forget;
	is get_manifest($t, 'closed/team/app', '1')->status, 503, "a token service with $how->[1] is a failure of upstream";
	is_deeply [grep { exists $_->{headers}{x} || ($_->{headers}{authorization} // '') =~ /^Bearer/ } $closed->requests], [], 'upstream gets nothing of it';
	$closed->drop($rule);
}
is pull($t, 'closed/team/app', '1')->{fault}, '', 'a right token lets in';
cmp_ok relay_peak($t), '<', 64, 'the relay has not needed 64 MiB';
$t->stop;

# --- names: what is asked upstream is what the client named, and nothing else
$u->settled;
$u->forget;
for my $path ('up/other/app/manifests/1', 'up/team/manifests/1', 'up/manifests/1', 'up/team/../../x/manifests/1', 'up/team/%2e%2e/x/manifests/1', 'up/team/app/manifests/a%20b', 'up/team/app/manifests/a%0d%0aX:y', 'up/team/APP/manifests/1',
	'up/team/app/blobs/sha256:xyz', 'up/team/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e') {
	my $r = $s->req(GET => "/v2/$path", may_close => 1);
	like $r ? $r->status : 400, qr/^4\d\d$/, "$path is refused";
}
is_deeply [map { $_->{path} } $u->requests], [], 'and upstream is not asked';
cmp_ok relay_peak($s), '<', 64, 'the relay has never needed 64 MiB' if !$ENV{BERTH_SANITIZERS};
is cached_fault($s), '', 'all that is stored is what its name says';

# --- what is inside is not for clients
for my $path ('/_berth/relay/manifest?up=up&repo=up/team/ok&name=team/ok&ref=1', '/_berth/relay/blob?up=up&repo=up/team/ok&name=team/ok&digest=' . $i->{digest}, '/_berth/cached/fresh', '/_berth/cached/stale?why=x', '/manifest?up=up', '/berth/v1/relay/checked?repo=up/team/ok&tag=1&digest=' . $i->{digest}) {
	like $s->req(GET => $path)->status, qr/^40[0-5]$/, "$path is not for clients";
}
like $s->req(POST => "/berth/v1/relay/checked?repo=up/team/ok&tag=evil&digest=$i->{digest}", body => '')->status, qr/^40[0-5]$/, 'nor can they hand over';
like $s->req(PUT => "/berth/v1/relay/manifest?repo=up/team/ok&ref=evil", body => $i->{json}, headers => ['Content-Type' => $i->{type}])->status, qr/^40[0-5]$/, 'a manifest';
ok !-e tag_link($s, 'up/team/ok', 'evil'), 'no tag comes of it';
done_testing;
