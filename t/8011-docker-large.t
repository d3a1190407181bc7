#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# docker with a layer of 1 GiB that does not compress: push, remove, pull, digest for digest.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Docker;

use constant GIB => 1 << 30;

plain_build_only('it moves gigabytes through code that less runs through, too');
need_program('curl', 'openssl', 'sha256sum');

my $d = Berth::Docker->start;
my $b = Berth::Server->start;
my $ref = '127.0.0.1:' . $b->port . '/large/layer:1';
my $type = 'application/vnd.docker.distribution.manifest.v2+json';

# docker import makes one layer of a tar, which it gets through a pipe: busybox and a file of 1 GiB.
my $dir = tmp_dir();
my $stream = 'head -c ' . GIB . ' /dev/zero | openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff'
	. ' -iv 00000000000000000000000000000000';
my ($sum) = run('sh', '-c', "$stream | sha256sum")->{out} =~ /^([0-9a-f]{64})/;
spew("$dir/front", tar_files(busybox_files()) . tar_header('big', GIB));
my $made = $d->import_pipe("cat $dir/front; $stream; head -c 1024 /dev/zero", $ref, 'CMD ["sha256sum", "/big"]');
is($made->{status}, 0, 'there is an image with a file of 1 GiB that does not compress') or die "$made->{err}\n";
my $id = $d->id($ref);

my $said = $d->docker_ok('push', $ref, 'docker pushes an image with a layer of 1 GiB');
my ($digest) = $said =~ /: digest: (sha256:[0-9a-f]{64}) size: \d+$/m;
ok($digest, 'and says its digest') or die "$said\n";

my $m = $b->req(GET => '/v2/large/layer/manifests/1', headers => [Accept => $type]);
is($m->header('Docker-Content-Digest'), $digest, 'the registry has it under that digest');
is($m->json->{config}{digest}, $id, 'it names the image that was built');
my $layer = $m->json->{layers}[0];
cmp_ok($layer->{size}, '>=', GIB, 'its layer has 1 GiB at least');

my $h = $b->req(HEAD => "/v2/large/layer/blobs/$layer->{digest}");
is($h->header('Content-Length'), $layer->{size}, 'the registry knows the length of the layer');
my $got = run('sh', '-ec', 'curl -sSf --noproxy "*" -L "$1" | sha256sum', 'sh',
	$b->url . "/v2/large/layer/blobs/$layer->{digest}");
is('sha256:' . substr($got->{out}, 0, 64), $layer->{digest}, 'curl gets the layer, digest for digest');

ok($d->remove_images, 'docker has no image any more');
$d->docker_ok('pull', $ref, 'docker pulls the image');
is($d->id($ref), $id, 'it is the image that was pushed');
is($d->value('image', 'inspect', '-f', '{{index .RepoDigests 0}}', $ref), $ref =~ s/:1$/\@$digest/r,
	'with the digest that it had');
my $run = $d->run_docker('run', '--rm', '--network', 'none', $ref);
is($run->{out}, "$sum  /big\n", 'and the file in it is what it was');

$b->stop;
$d->stop;
done_testing();
