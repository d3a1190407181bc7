#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# skopeo: OCI layouts and Docker images there and back, an index of several platforms, conversions,
# listing, deleting, and copies from and to registry:2.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check ();
use Berth::Client;

need_program('skopeo', 'docker-registry');

my $b = Berth::Server->start(config => "delete = true;\n");
my $host = '127.0.0.1:' . $b->port;
my $dir = tmp_dir();
my %type = (
	oci => 'application/vnd.oci.image.manifest.v1+json',
	index => 'application/vnd.oci.image.index.v1+json',
	v2s2 => 'application/vnd.docker.distribution.manifest.v2+json',
	list => 'application/vnd.docker.distribution.manifest.list.v2+json',
);
my @both = ('--src-tls-verify=false', '--dest-tls-verify=false');

sub skopeo_ok
{
	my $title = pop;

	return run_ok(skopeo(@_), $title);
}

sub copy_ok
{
	my $title = pop;

	return skopeo_ok('copy', '-q', @both, @_, $title);
}

# The manifest as a registry has it; ours unless another address is given.
sub raw
{
	my ($name, $addr) = @_;

	return run(skopeo('inspect', '--raw', '--tls-verify=false', 'docker://' . ($addr // $host) . "/$name"))->{out};
}

sub head_of
{
	my ($repo, $ref) = @_;
	my $r = $b->req(HEAD => "/v2/$repo/manifests/$ref", headers => [Accept => join(', ', values %type)]);

	return [$r->status, $r->header('Content-Type'), $r->header('Docker-Content-Digest')];
}

# --- one image

my $one = oci_layout("$dir/one", 'v1', { files => { 'etc/motd' => "one\n", 'data' => random_bytes(700_000) } });
copy_ok("oci:$dir/one:v1", "docker://$host/sk/one:v1", 'skopeo pushes an OCI layout');
is_deeply(head_of('sk/one', 'v1'), [200, $type{oci}, $one->{digest}], 'the registry has its manifest under its digest');
is(raw('sk/one:v1'), $one->{bytes}, 'byte for byte');
copy_ok("docker://$host/sk/one:v1", "oci:$dir/one-back:v1", 'skopeo pulls it to another OCI layout');
is_deeply(blob_files("$dir/one-back"), blob_files("$dir/one"), 'which has the same blobs');
is_deeply([grep { blob_files("$dir/one-back")->{$_} ne $_ } keys %{ blob_files("$dir/one-back") }], [],
	'each of which is what its name says');
copy_ok('--preserve-digests', "docker://$host/sk/one\@$one->{digest}", "dir:$dir/one-dir", 'and by digest to a directory');
is(slurp("$dir/one-dir/manifest.json"), $one->{bytes}, 'with the same manifest');
copy_ok('--preserve-digests', "dir:$dir/one-dir", "docker://$host/sk/again:v1", 'the directory is pushed to another repository');
is_deeply(head_of('sk/again', 'v1'), [200, $type{oci}, $one->{digest}], 'with the same digest');
copy_ok("oci:$dir/one:v1", "docker://$host/sk/one:v2", 'what is there already is pushed under another tag');
is_deeply(head_of('sk/one', 'v2'), head_of('sk/one', 'v1'), 'and is the same image');
copy_ok('--preserve-digests', "docker://$host/sk/one:v1", "docker://$host/other/one:v1", 'skopeo copies within the registry');
is_deeply(head_of('other/one', 'v1'), head_of('sk/one', 'v1'), 'with the same digest');

# --- formats

copy_ok('--format', 'v2s2', "oci:$dir/one:v1", "docker://$host/sk/docker:1", 'skopeo converts an OCI image to a Docker one');
my $v2s2 = raw('sk/docker:1');
is_deeply(head_of('sk/docker', '1'), [200, $type{v2s2}, sha256($v2s2)], 'the registry has it with that type');
is(json($v2s2)->{config}{digest}, $one->{images}[0]{config}, 'it is the same image');
copy_ok('--preserve-digests', "docker://$host/sk/docker:1", "dir:$dir/docker", 'a Docker image is pulled to a directory');
is(slurp("$dir/docker/manifest.json"), $v2s2, 'byte for byte');
copy_ok('--preserve-digests', "dir:$dir/docker", "docker://$host/sk/docker:2", 'and pushed again');
is_deeply(head_of('sk/docker', '2'), head_of('sk/docker', '1'), 'with the same digest');
copy_ok('--format', 'oci', "docker://$host/sk/docker:1", "docker://$host/sk/docker:oci", 'and converted back to OCI');
is((head_of('sk/docker', 'oci'))->[1], $type{oci}, 'which the registry has with that type');
is_deeply(json(raw('sk/docker:oci'))->{layers}, json($one->{bytes})->{layers}, 'and with the layers of the beginning');
copy_ok('--dest-compress-format', 'zstd', '--dest-compress', "dir:$dir/docker", "oci:$dir/zstd:1",
	'skopeo compresses the layers with zstd');
copy_ok("oci:$dir/zstd:1", "docker://$host/sk/zstd:1", 'and pushes them');
is(json(raw('sk/zstd:1'))->{layers}[0]{mediaType}, 'application/vnd.oci.image.layer.v1.tar+zstd', 'as what they are');

# --- an index of several platforms

my $multi = oci_layout("$dir/multi", 'v1',
	{ arch => 'amd64', files => { 'arch' => "amd64\n", 'data' => random_bytes(300_000) } },
	{ arch => 'arm64', files => { 'arch' => "arm64\n", 'data' => random_bytes(300_000) } },
	{ arch => 'riscv64', files => { 'arch' => "riscv64\n" } });
copy_ok('--all', '--preserve-digests', "oci:$dir/multi:v1", "docker://$host/sk/multi:v1",
	'skopeo pushes an index with all its images');
is_deeply(head_of('sk/multi', 'v1'), [200, $type{index}, $multi->{digest}], 'the registry has the index under its digest');
is(raw('sk/multi:v1'), $multi->{bytes}, 'byte for byte');
is_deeply(head_of('sk/multi', $_->{digest}), [200, $type{oci}, $_->{digest}], 'and one of its images')
	for @{ $multi->{images} };
copy_ok('--all', '--preserve-digests', "docker://$host/sk/multi:v1", "oci:$dir/multi-back:v1", 'skopeo pulls all of it');
is_deeply(blob_files("$dir/multi-back"), blob_files("$dir/multi"), 'and gets what was pushed');
copy_ok('--all', '--preserve-digests', "docker://$host/sk/multi\@$multi->{digest}", "docker://$host/other/multi:v1",
	'and copies all of it to another repository');
is_deeply(head_of('other/multi', 'v1'), head_of('sk/multi', 'v1'), 'with the same digest');
copy_ok('--override-arch', 'arm64', "docker://$host/sk/multi:v1", "oci:$dir/arm:v1", 'skopeo pulls one platform');
ok(-e "$dir/arm/blobs/sha256/" . substr($multi->{images}[1]{digest}, 7), 'which is the one that was asked for');
copy_ok('--all', '--format', 'v2s2', "oci:$dir/multi:v1", "docker://$host/sk/list:v1",
	'skopeo converts an index to a Docker manifest list');
is((head_of('sk/list', 'v1'))->[1], $type{list}, 'which the registry has with that type');
copy_ok('--all', '--preserve-digests', "docker://$host/sk/list:v1", "dir:$dir/list", 'skopeo pulls all of the list');
copy_ok('--all', '--preserve-digests', "dir:$dir/list", "docker://$host/sk/list:v2", 'and pushes it again');
is_deeply(head_of('sk/list', 'v2'), head_of('sk/list', 'v1'), 'with the same digest');

# --- looking

my $seen = json(skopeo_ok('inspect', '--tls-verify=false', "docker://$host/sk/one:v1", 'skopeo inspects an image'));
is($seen->{Digest}, $one->{digest}, 'and sees its digest');
is_deeply($seen->{Layers}, [$one->{images}[0]{layer}], 'its layers');
is_deeply($seen->{RepoTags}, ['v1', 'v2'], 'and the tags of its repository');
is_deeply(json(skopeo_ok('list-tags', '--tls-verify=false', "docker://$host/sk/one", 'skopeo lists the tags')),
	{ Repository => "$host/sk/one", Tags => ['v1', 'v2'] }, 'both of them');

# --- a directory of images, and back

skopeo_ok('sync', '--src-tls-verify=false', '--src', 'docker', '--dest', 'dir', '--scoped', "$host/sk/one", "$dir/sync",
	'skopeo sync takes a repository to a directory');
skopeo_ok('sync', '--dest-tls-verify=false', '--src', 'dir', '--dest', 'docker', "$dir/sync/$host/sk", "$host/synced",
	'and from there to another one');
is_deeply(head_of('synced/one', $_), head_of('sk/one', $_), "with the same digest ($_)") for qw(v1 v2);

# --- registry:2 on the other side

my $other = other_registry();
copy_ok('--preserve-digests', "docker://$host/sk/one:v1", "docker://$other/from/berth:v1", 'an image is copied to registry:2');
is(raw('from/berth:v1', $other), $one->{bytes}, 'byte for byte');
copy_ok('--all', '--preserve-digests', "docker://$host/sk/multi:v1", "docker://$other/from/berth:multi", 'so is an index');
is(raw('from/berth:multi', $other), $multi->{bytes}, 'byte for byte');
copy_ok('--preserve-digests', "docker://$host/sk/docker:1", "docker://$other/from/berth:docker", 'so is a Docker image');
is(raw('from/berth:docker', $other), $v2s2, 'byte for byte');
copy_ok('--all', '--preserve-digests', "docker://$other/from/berth:$_", "docker://$host/from/registry2:$_",
	"an image is copied from registry:2 ($_)") for qw(v1 multi docker);
is_deeply(head_of('from/registry2', 'v1'), head_of('sk/one', 'v1'), 'with the digest that it had (v1)');
is_deeply(head_of('from/registry2', 'multi'), head_of('sk/multi', 'v1'), 'with the digest that it had (multi)');
is_deeply(head_of('from/registry2', 'docker'), head_of('sk/docker', '1'), 'with the digest that it had (docker)');

# --- ten clients at once, each by itself, whose images share a layer

my %shared = ('shared' => random_bytes(3_000_000));
my @many = map { oci_layout("$dir/many$_", 'v1', { files => \%shared },
	{ arch => 'arm64', files => { own => random_bytes(200_000) } }) } 0 .. 9;
my @commands = map { [skopeo('copy', '-q', '--all', '--preserve-digests', '--dest-tls-verify=false',
	"oci:$dir/many$_:v1", "docker://$host/many/app" . $_ % 5 . ":t$_")] } 0 .. 9;
my @r = run_parallel(10, sub { run(@{ $commands[$_[0]] }) });
is_deeply([map { $_->{status} } @r], [(0) x 10], 'ten pushes at once of images that share a layer all succeed')
	or diag(map { $_->{err} } @r);
is_deeply([map { (head_of('many/app' . $_ % 5, "t$_"))->[2] } 0 .. 9], [map { $_->{digest} } @many],
	'and each is there under its digest');

# --- deleting

skopeo_ok('delete', '--tls-verify=false', "docker://$host/sk/one:v1", 'skopeo deletes an image by its tag');
is(head_of('sk/one', $_)->[0], 404, "which takes all tags of its digest ($_)") for qw(v1 v2);
is(head_of('other/one', 'v1')->[0], 200, 'but not those of another repository');
my $r = run(skopeo('copy', '-q', @both, "docker://$host/sk/one:v1", "oci:$dir/gone:v1"));
isnt($r->{status}, 0, 'it can not be copied any more');
like($r->{err}, qr/manifest unknown/, 'and skopeo says why');
copy_ok("oci:$dir/one:v1", "docker://$host/sk/one:v1", 'it is pushed again');
is_deeply(head_of('sk/one', 'v1'), [200, $type{oci}, $one->{digest}], 'and is there as before');

is(Berth::Check::leftovers($b), '', 'nothing is left where bodies are spooled and files are made');
$b->stop;
done_testing();
