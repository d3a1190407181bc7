#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth cache warm` fetches what a pull would, and nothing twice: after it upstream may be away. It goes on where it was after any kind of end, names
# what could not be had, and does the rest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $two = Berth::Upstream->start;
my $s = mirror(upstreams => [
	['docker.io', $u, 'hosts = [ "hub.example" ];'],
	['quay.example', $two, 'finish = false; allow = [ "ours/**" ];'],
], more => qq(own = [ "registry.example" ];\ncache = { max_size = "100 MiB"; };\n));
my $list = $s->dir . '/list';
my @berth = (program('berth'), '--config', $s->config_file, '--root', $s->root, 'cache', 'warm', '--relay', $s->dir . '/mirror.sock');

sub warm { return run(@berth, @_) }
sub asked { my (@kinds) = @_; return join ' ', map { s{^/v2/}{}r } sort map { $_->{path} } map { $_->requests(@kinds) } $u, $two }
sub forget { $_->settled, $_->forget for $u, $two; return }
sub away { my ($repo, $tag, %o) = @_; return away_of($s, $repo, $tag, %o) }
sub away_of { my ($of, $repo, $tag, %o) = @_; return pull($of, $repo, $tag, %o)->{fault} }
sub stored { my ($repo, $digest) = @_; return wait_for { -e layer_link($s, $repo, $digest) } }

# warm_away - the same in a process of its own: its pid, and the files with what it prints
my $away = 0;
sub warm_away
{
	my (@words) = @_;
	my ($out, $err) = map { $s->dir . "/$_" . ++$away } qw(out err);
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDOUT, '>', $out or POSIX::_exit(127);
		open STDERR, '>', $err or POSIX::_exit(127);
		exec { $berth[0] } @berth, @words or POSIX::_exit(127);
	}
	return { pid => $pid, out => $out, err => $err };
}
sub end_of { my ($p) = @_; waitpid $p->{pid}, 0; return { status => $? & 127 ? 128 + ($? & 127) : $? >> 8, out => slurp($p->{out}), err => slurp($p->{err}) } }

# --- a list, and platforms
my @layers = map { random_bytes(100_000 + $_) } 0 .. 4;
my @images = map { $u->image('library/app', undef, layers => [ $layers[0], $layers[$_] ]) } 1 .. 3;
$u->index('library/app', 'latest', @images);
my $tool = $u->image('grafana/tool', '1.0', layers => [ $layers[4] ], docker => 1);
my $ours = $two->image('ours/deep/app', '2');
spew($list, "# what we need\n\n  app   # the newest\n\tgrafana/tool:1.0\r\nquay.example/ours/deep/app:2\n");
my $r = warm('--platform', 'linux/amd64', '--file', $list);
is $r->{status}, 0, 'a list is fetched' or diag "$r->{out}$r->{err}", $s->log;
is $r->{err}, '', 'without an error';
my @lines = split /\n/, $r->{out};
like $lines[0], qr{^docker\.io/library/app:latest: fetched 2 manifests and 3 blobs, \d+ bytes; 0 were here$}, 'of an index the image of the platform';
like $lines[1], qr{^docker\.io/grafana/tool:1\.0: fetched 1 manifests and 2 blobs, \d+ bytes; 0 were here$}, 'an image of two components';
like $lines[2], qr{^quay\.example/ours/deep/app:2: fetched 1 manifests and 2 blobs, }, 'one of another upstream';
like $lines[3], qr{^total: 3 images; fetched 4 manifests and 7 blobs, \d+ bytes; 0 were here$}, 'and what that was';
is $u->count('GET manifest') . ' ' . $u->count('GET blob') . ' ' . $two->count('GET blob'), '3 5 2', 'each is asked for once';
forget();
$r = warm('--file', $list, '--platform', 'linux/amd64', '--json');
is $r->{status}, 0, 'the same once more';
is asked(), '', 'asks for nothing';
my @json = map { JSON::PP->new->decode($_) } split /\n/, $r->{out};
is_deeply $json[0], { kind => 'image', image => 'docker.io/library/app:latest', manifests => 0, blobs => 0, bytes => 0, here => 5 }, 'all of it was here';
is_deeply $json[-1], { kind => 'summary', images => 3, manifests => 0, blobs => 0, bytes => 0, here => 11 }, 'of all images';

# --- upstream is away
$_->down for $u, $two;
is away('docker.io/library/app', 'latest'), '', 'with upstream away the image is pulled';
is away('docker.io/grafana/tool', '1.0'), '', 'the next one, too';
is away('quay.example/ours/deep/app', '2'), '', 'and that of the other upstream';
isnt away('docker.io/library/app', $images[1]{digest}), '', 'but not the one of another platform';
old_tag($s, 'docker.io/library/app', 'latest', 3600);
$r = warm('app', 'grafana/tool:1.0');
is $r->{status}, 1, 'a tag that has to be confirmed fails';
like $r->{err}, qr{^berth: docker\.io/library/app:latest: its upstream could not be asked \(unreached\)\n\z}, 'which says why';
like $r->{out}, qr{^docker\.io/grafana/tool:1\.0: fetched 0 .*\ntotal: 1 images; }, 'the others follow';
$_->up for $u, $two;
well($s, $u, 'docker.io');
well($s, $two, 'quay.example/ours');
forget();

# --- all platforms, the names that clients have, and digests
$r = warm('docker.io/app');
is $r->{status}, 0, 'without a platform' or diag "$r->{out}$r->{err}";
like $r->{out}, qr/: fetched 2 manifests and 4 blobs, \d+ bytes; 5 were here\n/, 'the other images are fetched';
is away('docker.io/library/app', 'latest', all => 1), '', 'all of them are here';
for (['registry.example/docker.io/library/app', 'behind our own name'], ['hub.example/library/app', 'at the host of the upstream'], ["app\@$images[2]{digest}", 'by its digest'],
	["docker.io/library/app:other\@$images[2]{digest}", 'by its digest, whatever the tag']) {
	my ($ref, $title) = @$_;

	forget();
	$r = warm($ref);
	like "$r->{status} $r->{out}", qr{^0 docker\.io/library/app[:\@](?:latest|\Q$images[2]{digest}\E): fetched 0 }, "$ref: $title" or diag $r->{err};
	is asked(), '', 'it is the same image';
}
for ('ghcr.example/a/b:1', 'quay.example/theirs/app', 'App', 'app:', 'app@sha256:12', 'a' x 2000, "app\e[0m") {
	$r = warm('grafana/tool:2.0', $_);
	is $r->{status}, 2, substr($_, 0, 30) . ' is refused' or diag $r->{err};
	like $r->{err}, qr/\Aberth: "[^"\e]*" (?:is no image|is of no upstream in the configuration|is not mirrored: its upstream has "allow")\n\z/, 'which says why' or diag $r->{err};
}
spew($list, "app\n\nghcr.example/x\n");
$r = warm('--file', $list);
is "$r->{status} $r->{err}", qq(2 berth: $list:3: "ghcr.example/x" is of no upstream in the configuration\n), 'a line of a list, too';
is asked(), '', 'before anything is fetched';
for (['--platform', 'linux', 'app'], ['--platform', 'linux/', 'app'], [], ['--file', '/nonexistent']) {
	is warm(@$_)->{status}, 2, "warm @$_ is used wrongly";
}
is run({ stdin => "app\n" }, @berth, '--file', '-', '--platform', 'linux/amd64')->{status}, 0, 'a list may be the standard input';

# --- what fails
$r = warm('--platform', 'linux/amd64', '--platform', 'windows/amd64', 'app', 'none:1', 'grafana/tool:1.0');
is $r->{status}, 1, 'an image that is not there, and one that is not for a platform';
is $r->{err}, "berth: docker.io/library/app:latest: it has no image for windows/amd64\nberth: docker.io/library/none:1: the upstream has no such manifest\n", 'are named';
like $r->{out}, qr{^docker\.io/grafana/tool:1\.0: .*\ntotal: 1 images; }, 'the third is here';
$r = warm('--json', 'none:1');
is_deeply(JSON::PP->new->decode((split /\n/, $r->{out})[0]), { kind => 'failed', image => 'docker.io/library/none:1', why => 'the upstream has no such manifest' }, 'with --json, a line of the output');
my $wrong = $u->image('library/wrong', '1', layers => [ random_bytes(200_000) ]);
my $rule = $u->rule("blobs/$wrong->{layers}[0]" => { flip_at => 100_000 });
$r = warm('wrong:1');
is $r->{status}, 1, 'a layer with other bytes';
like $r->{err}, qr{^berth: docker\.io/library/wrong:1: .*digest}, 'is told';
ok !-e layer_link($s, 'docker.io/library/wrong', $wrong->{layers}[0]), 'and not stored';
$u->drop($rule);
is warm('wrong:1')->{status}, 0, 'until it is right';
my $large = $u->image('library/large', '1', layers => [ \$u->big_blob('library/large', 11 << 20) ]);
forget();
$r = warm('large:1');
is $r->{status}, 1, 'a layer that the cache does not keep';
like $r->{err}, qr{^berth: docker\.io/library/large:1: sha256:\w+ has 11534336 bytes, and is not kept: that is more than a tenth of cache\.max_size\n\z}, 'is told';
unlike asked('GET blob'), qr/\Q$large->{layers}[0]\E/, 'and not fetched';

# --- kill -9 of the command
# slow - an image of a config and six layers, four of which stop on their way for as long as a rule stands: four are fetched at the same time
sub slow
{
	my ($from, $repo, $tag) = @_;
	my $i = $from->image($repo, $tag, layers => [ map { random_bytes($_) } 50_000, (200_000) x 4, 60_000 ]);

	forget();
	return ($i, $from->rule('GET .*blobs/(?:' . join('|', @{ $i->{layers} }[1 .. 4]) . ')' => { hang_at => 150_000 }));
}
my $slow;
for ([$u, 'docker.io/library/slow', 'library/slow'], [$two, 'quay.example/ours/slow', 'ours/slow']) {
	my ($from, $repo, $there) = @$_;

	($slow, $rule) = slow($from, $there, '1');
	my $p = warm_away("$repo:1");
	ok $from->held(4), "four layers of $repo are on their way";
	kill KILL => $p->{pid};
	is end_of($p)->{status}, 137, 'the command is killed';
	$from->drop($rule);
	ok stored($repo, $_), 'what has begun goes on without it' for @{ $slow->{layers} }[1 .. 4];
	$from->settled;
	is $from->count('GET blob'), 6, 'and nothing else';
	forget();
	$r = warm("$repo:1");
	like "$r->{status} $r->{out}", qr/^0 .*: fetched 0 manifests and 1 blobs, 60000 bytes; 7 were here\n/, 'the command goes on where it was' or diag $r->{err};
	is asked(), "$there/blobs/$slow->{layers}[5]", 'with what is not here';
}

# --- kill -9 of the relay
($slow, $rule) = slow($u, 'library/cut', '1');
my $p = warm_away('cut:1', 'grafana/tool:1.0');
ok $u->held(4), 'four layers are on their way';
my $relay = relay_pid($s);
kill KILL => $relay;
ok wait_for { my $now = relay_pid($s); $now && $now != $relay }, 'the relay is killed, and another one is there';
$u->drop($rule);
$r = end_of($p);
is $r->{status}, 0, 'the command asks that one' or diag $r->{err};
like $r->{out}, qr{^docker\.io/library/cut:1: fetched 1 manifests and 7 blobs, .*\n.*tool.*\ntotal: 2 images; }, 'and all is fetched';
$u->settled;
is $u->count('GET blob'), 11, 'those that were cut off twice';
$u->down;
is away('docker.io/library/cut', '1'), '', 'with upstream away it is pulled';
$u->up;

# --- two at the same time
($slow, $rule) = slow($u, 'library/both', '1');
my @both = map { warm_away('both:1') } 1 .. 2;
ok $u->held(4), 'two commands wait for four layers';
my $g = get_begin($s, "/v2/docker.io/library/both/blobs/$slow->{layers}[1]");
cmp_ok get_some($g, 100_000), '>=', 100_000, 'a client gets what is here of one';
$u->drop($rule);
is sha256(get_end($g)->{body}), $slow->{layers}[1], 'and the rest';
is end_of($_)->{status}, 0, 'the command ends, too' for @both;
is $u->count('GET blob'), 7, 'each blob was fetched once';

# --- no relay, and a store that cannot be written
is run(@berth[0 .. $#berth - 1], '/nonexistent/sock', 'grafana/tool:1.0')->{status}, 0, 'what is here and fresh needs no relay';
$r = run(@berth[0 .. $#berth - 1], '/nonexistent/sock', 'grafana/tool:3', 'grafana/tool:1.0');
is $r->{status}, 1, 'what is not, does';
like $r->{err}, qr{^berth: docker\.io/grafana/tool:3: .*/nonexistent/sock.*\n\z}, 'which is told';
my %as = (env => { REGISTRY_PROXY_REMOTEURL => $u->url });
my $whole = Berth::Server->start(%as);
ok wait_for { $whole->req(GET => '/v2/test/of-the-relay/manifests/' . rand)->status == 404 }, 'a registry that is as a whole the mirror of another';
$r = run(\%as, program('berth'), '--config', $whole->config_file, '--root', $whole->root, 'cache', 'warm', '--relay', $whole->dir . '/mirror.sock', 'grafana/tool:1.0');
like "$r->{status} $r->{out}", qr{^0 grafana/tool:1\.0: fetched 1 manifests and 2 blobs, }, 'has the same names as that' or diag $r->{err};
$u->down;
is away_of($whole, 'grafana/tool', '1.0'), '', 'and its images, when that is away';
$u->up;
is cached_fault($s), '', 'all that is stored has the right bytes';
is_deeply [spooled($s)], [], 'no download is left behind';
is run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck')->{status}, 0, 'fsck finds nothing wrong';
done_testing;
