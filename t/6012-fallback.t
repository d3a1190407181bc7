#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# fallback = true: with no worker alive nginx goes on with pulls by itself, says of them what workers say, and never serves a
# tag that moved or went, or anything of a registry that is not open.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $on = "fallback = true;\ndelete = true;\n";
my $s = Berth::Server->start(config => $on);
my $top = $s->root . '/berth/index/_fallback';
sub get { my ($path, %o) = @_; return $s->req(GET => $path, %o) }
sub filled { my $n = shift; return wait_for { scalar(grep { ($_->{event} // '') eq 'fallback' } $s->log_events) >= $n } 20 }
sub link_of
{
	my ($repo, $ref) = @_;
	my @links;

	for my $l (glob "$top/$repo/_/$ref:*") {
		my ($kind) = $l =~ m{:(\w+)$};
		my ($to) = readlink($l) =~ m{/(sha\d+/../[0-9a-f]+)$};
		push @links, "$kind=" . ($to // '?');
	}
	return join ' ', @links;
}
ok filled(1), 'it is filled at the start, in a process of its own';

my ($d1, $m1) = $s->push_image('a/app', 'one', layers => ['layer one']);
my ($d2, $m2) = $s->push_image('a/app', 'two', layers => ['layer two'], type => 'oci');
my $child = sprintf '{"mediaType":"%s","size":%d,"digest":"%s"}', OCI_MANIFEST, length $m2, $d2;
my $index = qq({"schemaVersion":2,"mediaType":"${\OCI_INDEX}","manifests":[$child]});
my $list = sprintf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","size":%d,"digest":"%s"}]}', DOCKER_LIST, DOCKER_MANIFEST, length $m1, $d1;
my $bare = sprintf '{"schemaVersion":2,"config":{"mediaType":"%s","size":2,"digest":"%s"},"layers":[]}', OCI_CONFIG, sha256('{}');
$s->push_blob('a/app', '{}');
is $s->push_manifest('a/app', 'index', $index, OCI_INDEX)->status, 201, 'an index is pushed';
is $s->push_manifest('a/app', 'list', $list, DOCKER_LIST)->status, 201, 'a list';
is $s->push_manifest('a/app', 'bare', $bare, OCI_MANIFEST)->status, 201, 'a manifest that does not say its type';
my $long = sha512($m2);
is $s->push_manifest('a/app', "$long?tag=x&tag=y", $m2, OCI_MANIFEST)->status, 201, 'one by sha512, with two tags';
$s->push_image('a/app/web', 'one', layers => ['nested']);
my ($d3) = $s->push_image('b', 'gone', layers => ['layer one']);
is $s->req(DELETE => '/v2/b/manifests/gone')->status, 202, 'a tag that is deleted';
my ($d4) = $s->push_image('b', 'stays', layers => ['b only']);
my ($d5) = $s->push_image('b', 'away', layers => ['b only']);
is $s->req(DELETE => "/v2/b/manifests/$d5")->status, 202, 'a manifest that is deleted';
my ($d6) = $s->push_image('b', 'moved', layers => ['before']);
my ($d7, $m7) = $s->push_image('b', 'moved', layers => ['after'], type => 'oci');

# what workers say
my @pulls = map { "/v2/$_" } (map { "a/app/manifests/$_" } 'one', 'two', 'index', 'list', 'bare', 'x', 'y', $d1, $d2, sha256($index), $long), 'a/app/web/manifests/one', 'b/manifests/moved', "b/manifests/$d7", "b/manifests/$d6", "b/manifests/$d3",
	(map { "a/app/blobs/$_" } sha256('layer one'), sha256('{}')), 'b/blobs/' . sha256('after');
my @not = map { "/v2/$_" } 'b/manifests/gone', 'b/manifests/away', "b/manifests/$d5", 'b/manifests/never', "a/app/manifests/$d4", 'none/manifests/one', 'a/manifests/one', 'b/blobs/' . sha256('layer two'), 'b/blobs/' . sha256('never');
my @same = ('Content-Type', 'Content-Length', 'Docker-Content-Digest', 'Etag', 'Cache-Control', 'Last-Modified', 'Docker-Distribution-Api-Version', 'X-Content-Type-Options');
sub said { my ($r) = @_; return join "\n", $r->status, (map { my $h = $_; "$h: " . join '|', $r->headers($h) } @same), $r->body }
my %by_workers;
$by_workers{"$_->[0] $_->[1]"} = said($s->req(@$_)) for map { my $p = $_; map { [$_ => $p] } 'GET', 'HEAD' } '/v2/', @pulls, @not;
$s->stop_workers;
for my $what (sort keys %by_workers) {
	(my $short = $what) =~ s/([0-9a-f]{8})[0-9a-f]{24,}/$1/g;
	is said($s->req(split / /, $what)), $by_workers{$what}, "$short is answered without workers as with them";
}
my $blob = '/v2/a/app/blobs/' . sha256('layer one');
my $r = get($blob, headers => [Range => 'bytes=2-4']);
is $r->status . $r->body, '206yer', 'a range of a blob';
error_is get($blob, headers => [Range => 'bytes=99-']), 416, 'RANGE_INVALID', 'and a bad one';

# all else
for my $c (['PUT', '/v2/a/app/manifests/one', $m1], ['PATCH', '/v2/a/app/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd', 'x'], ['POST', '/v2/a/app/blobs/uploads/'], ['POST', '/v2/a/app/blobs/uploads/?digest=' . sha256('x'), 'x'], ['DELETE', "/v2/a/app/manifests/$d1"],
	['DELETE', '/v2/a/app/manifests/one'], ['DELETE', $blob], ['GET', '/v2/_catalog'], ['GET', '/v2/a/app/tags/list'], ['GET', "/v2/a/app/referrers/$d1"], ['POST', '/v2/'], ['PUT', '/v2/a/app/manifests/../manifests/one', 'x']) {
	my ($m, $p, $body) = @$c;
	$r = $s->req($m, $p, defined $body ? (body => $body) : ());
	(my $short = "$m $p") =~ s/([0-9a-f]{8})[0-9a-f]{24,}/$1/g;
	error_is $r, 503, 'UNAVAILABLE', "$short is 503";
	cmp_ok $r->header('Retry-After') // 0, '>', 0, '... with Retry-After';
}
isnt get($_)->status, 200, "$_ is nothing" for '/v2/a/app/manifests/_', '/v2/a/app/_/manifests/one', '/v2/a%2Fapp/manifests/one', '/v2/a/app/manifests/%6fne', '/v2/a/../b/manifests/stays', '/v2/a//app/manifests/one', '/v2/./a/app/manifests/one',
	'/v2/a/app/manifests/one:docker', '/v2/A/manifests/one', '/v2/a/app/manifests/one/', '/v2/a/app/blobs/sha256:' . ('0' x 63), '/_berth/fallback', '/_berth/fallback/base', '/_berth/fallback/bytes/sha256/' . substr(sha256('layer one'), 7, 2) . '/' . substr(sha256('layer one'), 7) . '/data';

# a link that leads elsewhere, or nowhere
my ($l) = glob "$top/a/app/_/two:*";
unlink $l;
error_is get('/v2/a/app/manifests/two'), 503, 'UNAVAILABLE', 'a tag without a link is 503, not 404';
symlink '/etc', $l;
error_is get('/v2/a/app/manifests/two'), 503, 'UNAVAILABLE', 'one that leads out of the store too';
unlink $l;
unlink $s->root . '/docker/registry/v2/repositories/a/app/_manifests/tags/one/current/link';
is get('/v2/a/app/manifests/one')->status, 404, 'the link of a tag that is not there is not followed';

# again with workers: an epoch begins, all links are made anew, those of another registry's tags too
lay_tag($s, 'a/app', 'one', $d2);
$s->start_workers;
ok filled(2), 'at the next start it is filled again';
is link_of('a/app', 'one'), 'oci=' . path_of_link($d2), 'with what others have changed';
is link_of('a/app', 'two'), 'oci=' . path_of_link($d2), 'and what was missing';
is_deeply [glob $s->root . '/berth/trash/fallback-*'], [], 'and what was before is gone';
sub path_of_link { my ($d) = @_; my ($alg, $hex) = split /:/, $d; return "$alg/" . substr($hex, 0, 2) . "/$hex" }

# changes
is $s->push_manifest('a/app', 'one', $m1, DOCKER_MANIFEST)->status, 201, 'a tag moves back';
is link_of('a/app', 'one'), 'docker=' . path_of_link($d1), 'its one link with it';
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'repo', 'mv', 'b', 'c/d', 'a repository moves');
is link_of('c/d', 'moved'), 'oci=' . path_of_link($d7), 'its links are made again';
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'tag', 'rm', 'c/d', 'stays', 'a tag is removed');
is link_of('c/d', 'stays'), '', 'its link with it';
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'repo', 'rm', 'a/app/web', 'a repository goes');
is_deeply [glob "$top/a/app/web/_/*"], [], 'its links with it';
symlink '../../../../../../docker/registry/v2/blobs/' . path_of_link($d2), "$top/a/app/_/list:oci";
unlink glob "$top/a/app/_/list:list";
my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is $fsck->{status}, 1, 'fsck finds a link that leads elsewhere than its tag';
like $fsck->{out}, qr/index-fallback.*list/, 'and says so';
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'index', 'rebuild', 'a/app', 'rebuilding the index');
is link_of('a/app', 'list'), 'list=' . path_of_link(sha256($list)), 'mends it';
is run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck')->{status}, 0, 'and fsck has nothing to say';
$s->stop_workers('KILL');
wait_for { !$s->worker_pids } 5;
is get('/v2/c/d/manifests/moved')->body, $m7, 'with all of them killed, too';
is get('/v2/c/d/manifests/stays')->status, 404, 'what went is gone';

# closed: by rules, by logins, by readonly, by the setting; at the start and by a reload; for an nginx that was told before
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(alice => 'a'));
my @closed = (['rules' => $on . 'auth = { access = ( ' . rule('@anonymous', '**', 'pull') . ' ); };'], ['logins' => $on . "auth = { htpasswd = \"$dir/htpasswd\"; };"], ['readonly' => "$on readonly = true;"], ['false' => "delete = true;\n"]);
for my $c (@closed) {
	my ($what, $config) = @$c;
	for my $how ('start', 'reload') {
		$s->config($how eq 'start' ? $config : $on);
		$s->start_workers;
		if ($how eq 'reload') {
			ok -d $top, 'open';
			$s->config($config);
			$s->reload;
			wait_for { !-e $top } 10;
		}
		ok !-e $top, "$what: closed by a $how";
		if ($what ne 'false') {
			my ($w) = grep { ($_->{level} // '') eq 'warn' && ($_->{msg} // $_->{message} // '') =~ /"fallback" is off/ } $s->log_events;
			ok $w, '... and that is said';
			like run(program('berth'), '--config', $s->config_file, 'config', 'show')->{out}, qr/^fallback = false$/m, '... also to those who set up nginx';
		}
		$s->stop_workers;
		error_is get($_), 503, 'UNAVAILABLE', '... and 503 without workers' for '/v2/', '/v2/a/app/manifests/one', $blob, "/v2/a/app/manifests/$d1", '/v2/none/manifests/one';
	}
}

# nginx that is not told: nothing of it
$s->config($on);
$s->start_workers;
ok -d $top, 'open again';
$s->stop_nginx;
$s->{want_port} = undef;
$s->config("delete = true;\n");
$s->start_nginx;
$s->stop_workers;
error_is get('/v2/a/app/manifests/one'), 503, 'UNAVAILABLE', 'an nginx without fallback=true serves nothing by itself';
done_testing;
