#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# docker and skopeo pull while no worker lives (fallback = true), and are told to come again when they push.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Docker;

need_program('skopeo');
my $d = Berth::Docker->start;
my $b = Berth::Server->start(config => "fallback = true;\n");
my $host = $b->host;
my $dir = tmp_dir();

$d->busybox_image('busybox:latest');
spew("$dir/data", random_bytes(3_000_000));
my $app = "$host/team/app";
my $id = $d->build("$app:1.0", "FROM busybox\nCOPY data /data\nCMD [\"sha256sum\", \"/data\"]\n", $dir);
my $said = $d->docker_ok('push', "$app:1.0", 'docker pushes while there are workers');
my ($digest) = $said =~ /digest: (sha256:[0-9a-f]{64})/;
my $multi = oci_layout("$dir/multi", 'v1', { arch => 'amd64', files => { a => random_bytes(100_000) } }, { arch => 'arm64', files => { a => random_bytes(100_000) } });
my @o = ('--all', '--preserve-digests', '--src-tls-verify=false', '--dest-tls-verify=false');
run_ok skopeo('copy', '-q', @o, "oci:$dir/multi:v1", "docker://$host/team/multi:v1"), 'skopeo pushes an index';

$b->stop_workers;
ok !$b->master_alive, 'no worker lives, and no master';
is $b->req(GET => '/v2/_catalog')->status, 503, 'the catalog is 503';
ok $d->remove_images, 'docker has no image';
$d->docker_ok('pull', "$app:1.0", 'docker pulls by tag');
is $d->id("$app:1.0"), $id, 'the image that it pushed';
my $sum = substr sha256(slurp("$dir/data")), 7;
like $d->docker_ok('run', '--rm', '--network', 'none', "$app:1.0", 'which runs'), qr/^$sum /m, 'with the same bytes in it';
ok $d->remove_images, 'docker has no image again';
$d->docker_ok('pull', "$app\@$digest", 'docker pulls by digest');
is $d->id("$app\@$digest"), $id, 'the same image';
run_ok skopeo('copy', '-q', @o, "docker://$host/team/multi:v1", "oci:$dir/back:v1"), 'skopeo pulls the index and all in it';
is_deeply blob_files("$dir/back"), blob_files("$dir/multi"), 'the same bytes';
isnt run(skopeo('copy', '-q', @o, "docker://$host/team/multi:v2", "oci:$dir/never:v1"))->{status}, 0, 'but no tag that is not there';
my $r = run(skopeo('copy', '-q', @o, '--retry-times', 0, "oci:$dir/multi:v1", "docker://$host/team/new:v1"));
isnt $r->{status}, 0, 'a push fails';
like $r->{err}, qr/503|service unavailable/i, 'and says why';

$b->start_workers;
run_ok skopeo('copy', '-q', @o, "oci:$dir/multi:v1", "docker://$host/team/new:v1"), 'with workers it goes on, nginx being the same';

done_testing;
