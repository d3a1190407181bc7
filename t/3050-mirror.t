#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The workers' side of a cache of other registries, with a relay of the test's own: what goes to the relay, what the relay hands over, and what is
# served when it comes back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::FCGI;

my $s = Berth::Server->start(config => <<'CONF', args => ['--no-relay']);
delete = true;
upstreams = (
	{ name = "docker.io"; urls = [ "http://127.0.0.1:1" ]; hosts = [ "hub.example" ]; },
	{ name = "quay.io"; urls = [ "http://127.0.0.1:1" ]; allow = [ "ours/**" ]; fresh = "0"; stale = "1h"; }
);
own = [ "registry.example" ];
CONF
my $own = $s->dir . '/relay.sock';
my $log = $s->dir . '/asked';
my $say = $s->dir . '/say';     # what the relay answers

# The relay: one answer after another, as the test has written it
my $pid = fork // die "fork: $!";
if (!$pid) {
	my $listen = IO::Socket::UNIX->new(Listen => 64, Local => $s->dir . '/mirror.sock') or die "listen: $!";

	$SIG{PIPE} = 'IGNORE';
	while (my $c = $listen->accept) {
		my $head = '';
		while ($head !~ /\r\n\r\n\z/ && sysread $c, $head, 4096, length $head) { }
		open my $fh, '>>', $log or die;
		syswrite $fh, JSON::PP->new->canonical->encode({ head => $head }) . "\n";
		close $fh;
		syswrite $c, slurp($say);
	}
	POSIX::_exit(0);
}
END { kill TERM => $pid if $pid }
ok wait_for { -S $s->dir . '/mirror.sock' }, 'the relay of the test listens';

# asked - what nginx has asked the relay since the last time
sub asked
{
	my @asked = map { JSON::PP->new->decode($_)->{head} } -e $log ? split /\n/, slurp($log) : ();

	unlink $log;
	return @asked;
}
sub says { my ($status, $headers, $body) = @_; spew($say, join("\r\n", "HTTP/1.0 $status X", @$headers, '', '') . ($body // '')); return }
sub relay { my ($method, $uri, %o) = @_; return Berth::FCGI->new($own)->request(params => { REQUEST_METHOD => $method, REQUEST_URI => "/berth/v1/relay/$uri",
	CONTENT_LENGTH => length($o{body} // ''), CONTENT_TYPE => $o{type} // '', $o{file} ? (BERTH_BODY_FILE => $o{file}, CONTENT_LENGTH => -s $s->root . "/$o{file}") : () }, stdin => $o{body} // '') }
sub enc { return $_[0] =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }
my @accel = ('X-Accel-Redirect: /_berth/cached/fresh', 'Content-Length: 0');
sub fails { my ($why) = @_; says(200, ["X-Accel-Redirect: /_berth/cached/stale?why=$why", 'Content-Length: 0']); return }
sub old { my ($repo, $tag, $age) = @_; my $t = time - $age; return utime $t, $t, $s->root . "/berth/mirror/$repo/_checked/$tag" }

my $config = '{"a":1}';
my $layer = random_bytes(100_000);
my ($cd, $ld) = (sha256($config), sha256($layer));
my $image = JSON::PP->new->canonical->encode({ schemaVersion => 2, mediaType => 'application/vnd.oci.image.manifest.v1+json',
	config => { mediaType => 'application/vnd.oci.image.config.v1+json', digest => $cd, size => length $config },
	layers => [{ mediaType => 'application/vnd.oci.image.layer.v1.tar', digest => $ld, size => length $layer }] });
my $d = sha256($image);
my $repo = 'docker.io/library/app';
my $path = "/v2/$repo/manifests";
my $type = 'application/vnd.oci.image.manifest.v1+json';

# --- what the relay is asked

says(404, ['Content-Type: application/json', 'Content-Length: 3'], "{}\n");
my $r = $s->req(GET => "$path/1.0", headers => [Authorization => 'Basic eDp5', Cookie => 'a=b', 'X-Evil' => 'x', Range => 'bytes=0-1']);
is $r->status . $r->body, "404{}\n", 'the relay answers';
is common_fault($r), '', 'with the headers that every answer has, once';
my ($head) = asked();
like $head, qr{^GET /manifest\?up=docker\.io&repo=docker\.io%2Flibrary%2Fapp&name=library%2Fapp&ref=1\.0&have= HTTP/1\.0\r\n}, 'it knows the upstream, both names and the tag';
unlike $head, qr/^(?:Authorization|Cookie|X-Evil)/mi, 'and nothing of the client';
like $head, qr/^X-Request-Id: [0-9a-f]{32}\r$/mi, 'but the id of its request';
$s->req(HEAD => "$path/$d");
like((asked())[0], qr{^HEAD /manifest\?.*&ref=sha256%3A}, 'a digest that is not here, as HEAD');
$s->req(GET => "/v2/$repo/blobs/$ld", headers => [Range => 'bytes=5-9']);
($head) = asked();
like $head, qr{^GET /blob\?up=docker\.io&repo=\S+&name=library%2Fapp&digest=\Q@{[enc($ld)]}\E&keep=0 HTTP}, 'a blob that no manifest names is not to be kept';
like $head, qr/^Range: bytes=5-9\r$/m, 'its range';
$s->req(GET => "/v2/$repo/tags/list?n=5&last=a%26b");
like((asked())[0], qr{^GET /tags\?up=docker\.io&repo=\S+&name=library%2Fapp&path=%2Fv2%2Fdocker\.io%2Flibrary%2Fapp%2Ftags%2Flist&query=n%3D5%26last%3Da%2526b HTTP}, 'tags');
$s->req(GET => "/v2/$repo/referrers/$d?artifactType=a/b");
like((asked())[0], qr{^GET /referrers\?.*&digest=sha256%3A[0-9a-f]{64}&path=.*&query=artifactType%3Da%2Fb HTTP}, 'referrers');

# --- name spaces

for ([[], '/v2/library/app/manifests/1', '?ns=docker.io', 'docker.io'], [[Host => 'hub.example:5000'], '/v2/library/app/manifests/1', '', undef], [[], '/v2/library/app/manifests/1', '?ns=Docker.io', 'Docker.io']) {
	my ($headers, $uri, $q, $space) = @$_;
	$r = $s->req(GET => "$uri$q", headers => $headers);
	like((asked())[0], qr{&repo=docker\.io%2Flibrary%2Fapp&name=library%2Fapp&ref=1&}, "$uri$q @$headers is docker.io/library/app");
	is $r->header('OCI-Namespace'), $space, 'which the answer says where it was asked';
}
for ('?ns=ghcr.io', '?ns=docker.io%0d%0aX:%20y', '?ns=docker.io/library') {
	error_is($s->req(GET => "/v2/library/app/manifests/1$_"), 404, 'NAME_UNKNOWN', "$_ is not here");
}
error_is($s->req(GET => '/v2/library/app/manifests/1?ns=quay.io', headers => [Host => 'hub.example']), 404, 'NAME_UNKNOWN', 'nor is another one at the host of one');
error_is($s->req(GET => '/v2/library/app/manifests/1'), 404, 'MANIFEST_UNKNOWN', "without ns it is one's own repository");
$r = $s->req(GET => '/v2/library/app/manifests/1?ns=registry.example');
error_is($r, 404, 'MANIFEST_UNKNOWN', 'with a name of its own, too');
is $r->header('OCI-Namespace'), 'registry.example', 'as the answer says';
error_is($s->req(GET => '/v2/quay.io/theirs/app/manifests/1'), 404, 'NAME_UNKNOWN', 'what "allow" does not name is not here');
error_is($s->req(GET => '/v2/docker.io/manifests/1'), 404, 'NAME_UNKNOWN', 'nor is the upstream itself');
is scalar(asked()), 0, 'and nobody asked for it';

# --- pushes

for ([PUT => "$path/1", body => $image, headers => ['Content-Type' => $type]], [POST => "/v2/$repo/blobs/uploads/", headers => ['Content-Length' => 0]],
	[POST => "/v2/$repo/blobs/uploads/?digest=$ld", body => $layer], [POST => '/v2/library/app/blobs/uploads/?ns=docker.io', headers => ['Content-Length' => 0]]) {
	my ($method, $uri, @o) = @$_;
	$r = $s->req($method, $uri, @o);
	refused_is($r, 403, 'DENIED', qr/^\Q$repo\E is a mirror of docker\.io: nobody can push to it\z/, "$method $uri is refused, with the reason where clients show it");
}

# --- what the relay hands over

$r = relay(PUT => "manifest?repo=$repo&ref=1.0", body => $image, type => $type);
is $r->status . ($r->header('Docker-Content-Digest') // ''), "201$d", 'a manifest without what it names' or diag $r->as_string;
is relay(PUT => "manifest?repo=$repo&ref=2", body => '{}', type => $type)->status, 400, 'but not anything';
is relay(PUT => "manifest?repo=$repo&ref=$ld", body => $image, type => $type)->status, 400, 'nor another digest';
is relay(PUT => "manifest?repo=$_&ref=1", body => $image, type => $type)->status, 403, "nor into $_" for 'team/app', 'quay.io/theirs', 'docker.io';
is relay(PUT => "manifest?repo=A&ref=1", body => $image, type => $type)->status, 400, 'nor into what is no repository';
$r = $s->req(GET => "$path/1.0");
is $r->status . $r->body, "200$image", 'the tag is served';
is $s->req(GET => "$path/$d")->body, $image, 'the digest, too';
is scalar(asked()), 0, 'without asking';
my $spools = 0;
sub spool { my ($bytes) = @_; my $file = 'berth/body/relay-' . ++$spools; spew($s->root . "/$file", $bytes); return $file }
$s->req(GET => "/v2/$repo/blobs/$ld");
like((asked())[0], qr{&keep=1 HTTP}, 'a blob that is named now is to be kept');
is relay(PUT => "blob?repo=$repo&digest=$ld", file => spool('other'))->status, 400, 'not if it has other bytes';
like relay(PUT => "blob?repo=$repo&digest=" . sha256('other'), file => spool('other'))->as_string, qr/^Status: 403.*"DENIED"/s, 'nor if no manifest names it';
is relay(PUT => "blob?repo=$repo&digest=$ld", file => spool($layer))->status, 201, 'the relay hands it over';
is sha256($s->req(GET => "/v2/$repo/blobs/$ld")->body), $ld, 'it is served';
is scalar(asked()), 0, 'without asking';
for my $at (qw(worker write upload)) {
	my $socket = $at . '_socket';
	is(Berth::FCGI->new($s->$socket)->request(params => { REQUEST_METHOD => 'PUT', REQUEST_URI => "/berth/v1/relay/manifest?repo=$repo&ref=9", CONTENT_LENGTH => length $image },
		stdin => $image)->status, 404, "nothing is handed over at the $at socket");
}

# --- tags that are no longer fresh

ok old($repo, '1.0', 700), 'a tag that was confirmed eleven minutes ago';
says(200, \@accel);
$r = $s->req(GET => "$path/1.0");
is $r->status . $r->body, "200$image", 'is served when the relay has confirmed it';
is $r->header('Warning'), undef, 'without a warning';
like((asked())[0], qr{&ref=1\.0&have=\Q@{[enc($d)]}\E HTTP}, 'the relay knows what is here');
is relay(POST => "checked?repo=$repo&tag=1.0&digest=$d")->status, 204, 'the relay says that it was confirmed';
is $s->req(HEAD => "$path/1.0")->status, 200, 'then it is fresh';
is scalar(asked()), 0, 'and nobody is asked';
like relay(POST => "checked?repo=$repo&tag=1.0&digest=$ld")->as_string, qr/^Status: 404.*"MANIFEST_UNKNOWN"/s, 'a digest that is not here cannot be confirmed';
is relay(POST => "checked?repo=$repo&tag=again&digest=$d")->status, 204, 'but a tag may move to a manifest that is here';
is $s->req(GET => "$path/again")->body, $image, 'and is served';
asked();

old($repo, '1.0', 700);
fails('limited');
$r = $s->req(GET => "/v2/library/app/manifests/1.0?ns=docker.io");
is $r->status . $r->body, "200$image", 'a tag that cannot be confirmed is served';
like $r->header('Warning'), qr/^299 - "[^"]*\(limited\)[^"]* 7\d\d seconds ago"$/, 'with a warning';
is $r->header('OCI-Namespace'), 'docker.io', 'in its name space';
is $s->req(HEAD => "$path/1.0")->status, 200, 'HEAD, too';
old($repo, '1.0', 31 * 24 * 3600);
$r = $s->req(GET => "$path/1.0");
error_is($r, 503, 'UNAVAILABLE', 'but not for longer than stale');
ok $r->header('Retry-After'), 'the client may come again';
error_is($s->req(GET => "$path/none"), 503, 'UNAVAILABLE', 'nor what is not here');
fails('denied');
error_is($s->req(GET => "$path/none"), 404, 'MANIFEST_UNKNOWN', 'which is not there if access is denied');
says(200, \@accel);
error_is($s->req(GET => "$path/none"), 503, 'UNAVAILABLE', 'what was stored and is gone is never asked again');
is scalar(asked()), 6, 'one question for each';

# --- nobody reads a blob by its digest; content of the store is linked where a manifest names it

my ($secret) = $s->push_blob('private/app', 'secret of another repository');
says(404, ['Content-Type: application/json', 'Content-Length: 3'], "{}\n");
is $s->req(GET => "/v2/$repo/blobs/$secret")->status, 404, 'a blob of another repository is asked of the upstream';
is scalar(asked()), 1, 'even if it is here';
my $shared = 'a layer that somebody pushed';
$s->push_blob('team/base', $shared);
my $index = JSON::PP->new->canonical->encode({ schemaVersion => 2, mediaType => 'application/vnd.oci.image.index.v1+json',
	manifests => [{ mediaType => $type, digest => $d, size => length $image }] });
my $with = $image =~ s/\Q$ld\E/@{[sha256($shared)]}/r =~ s/"size":100000/"size":@{[length $shared]}/r;
is relay(PUT => "manifest?repo=docker.io/library/with&ref=1", body => $with, type => $type)->status, 201, 'an image with a layer that is here';
is relay(PUT => "manifest?repo=docker.io/library/multi&ref=1", body => $index, type => 'application/vnd.oci.image.index.v1+json')->status, 201, 'an index with an image that is here';
is $s->req(GET => '/v2/docker.io/library/with/blobs/' . sha256($shared))->body, $shared, 'the layer is not fetched';
is $s->req(GET => "/v2/docker.io/library/multi/manifests/$d")->body, $image, 'nor is the image';
is $s->req(GET => "/v2/docker.io/library/multi/blobs/$ld")->status, 200, 'nor what this names in turn';
is scalar(asked()), 0, 'nobody was asked';

# --- a manifest that anybody may have pushed upstream says nothing of who has what it names without being checked there

my $foreign = $image =~ s/\Q$ld\E/$secret/r =~ s/"size":100000/"size":29,"urls":["http:\/\/x.example\/"]/r;
is relay(PUT => 'manifest?repo=docker.io/evil/foreign&ref=1', body => $foreign, type => $type)->status, 201, 'an image with a layer that its upstream need not have, which is here in a private repository';
is $s->req(GET => "/v2/docker.io/evil/foreign/blobs/$secret")->status, 404, 'the layer is asked of the upstream';
like((asked())[0], qr{&keep=0 HTTP}, 'which may give it, but it is not kept');
my $undistributable = $image =~ s/\Q$ld\E/$secret/r =~ s/image\.layer\.v1/image.layer.nondistributable.v1/r;
is relay(PUT => 'manifest?repo=docker.io/evil/undistributable&ref=1', body => $undistributable, type => $type)->status, 201, 'the same of a type that is not distributed';
is $s->req(GET => "/v2/docker.io/evil/undistributable/blobs/$secret")->status, 404, 'the layer is asked of the upstream, too';
my $hidden = $image =~ s/\Q$ld\E/$secret/r;           # pushed upstream as the bytes of a layer, which nobody reads there
my $carrier = $image =~ s/\Q$ld\E/@{[sha256($hidden)]}/r =~ s/"size":100000/"size":@{[length $hidden]}/r;
is relay(PUT => 'manifest?repo=docker.io/evil/carrier&ref=1', body => $carrier, type => $type)->status, 201, 'an image with a layer that is a manifest, which names a private blob';
is relay(PUT => 'blob?repo=docker.io/evil/carrier&digest=' . sha256($hidden), file => spool($hidden))->status, 201, 'the layer is cached';
asked();
is $s->req(GET => '/v2/docker.io/evil/carrier/manifests/' . sha256($hidden))->status, 404, 'as a manifest it is asked of the upstream';
is scalar(asked()), 1, 'and of nothing else';
is $s->req(GET => "/v2/docker.io/evil/carrier/blobs/$secret")->status, 404, 'so what it names is not here';
like((asked())[0], qr{&keep=0 HTTP}, 'for anybody');

# --- the operator's commands

$s->push_image('team/own', '1');
for (['docker.io/library/with', 'team/with'], ['team/own', 'docker.io/library/own']) {
	my $m = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'repo', 'mv', @$_);
	isnt $m->{status}, 0, "$_->[0] cannot become $_->[1]";
	like $m->{err}, qr/is the mirror of an upstream/, 'for this reason';
}
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'repo', 'rm', 'docker.io/library/with', 'a mirror is removed');
ok !-e $s->root . '/berth/mirror/docker.io/library/with/_named' && -e $s->root . '/berth/mirror/docker.io/library/multi/_children', 'with what was known of it alone';
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'gc', '--untagged', '--grace', '0', 'a collection of what is untagged');
is $s->req(GET => "/v2/docker.io/library/multi/manifests/$d")->status, 200, 'spares a mirror';

# --- forgetting, and no relay

is $s->req(DELETE => "$path/$d")->status, 202, 'DELETE forgets a copy';
$s->req(GET => "$path/1.0");
like((asked())[0], qr/&ref=1\.0&have= HTTP/, 'which is fetched when it is asked for again');
is relay(PUT => "manifest?repo=$repo&ref=1.0", body => $image, type => $type)->status, 201, 'it is';
kill TERM => $pid;
waitpid $pid, 0;
$pid = 0;
old($repo, '1.0', 700);
$r = $s->req(GET => "$path/1.0");
is $r->status . $r->body, "200$image", 'without a relay the cached tag is served';
like $r->header('Warning'), qr/\(relay\)/, 'with a warning';
error_is($s->req(GET => "/v2/$repo/blobs/$cd"), 503, 'UNAVAILABLE', 'and what is not here is 503');
is $s->req(GET => "/v2/$repo/tags/list")->json->{tags}[0], '1.0', 'tags are those that are here';

$r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is $r->{status}, 0, 'fsck finds nothing wrong with a mirror that lacks parts' or diag($r->{out});
done_testing;
