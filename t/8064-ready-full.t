#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# /readyz on a file system without a free byte: not ready, and why; ready again when there is room.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;
use Berth::Metrics;

own_mounts();

my $top = tmp_dir();
is run('mount', '-t', 'tmpfs', '-o', 'size=8m,mode=755', 'tmpfs', $top)->{status}, 0, 'a file system of 8 MB';
my $s = Berth::Server->start(workers => 2, root => "$top/store");
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'with room it is ready';
my ($d) = $s->push_image('full/app', 'one');
is leftovers($s), '', 'nothing that is still to be removed makes room';
open my $h, '>', "$top/filler" or die;
my $piece = 'x' x 4096;
1 while syswrite $h, $piece;
ok wait_for(sub { $s->watch('/readyz')->status == 503 }), 'without a free byte it is not';
is $s->watch('/readyz')->body, "the store cannot be written: No space left on device\n", '... and says so';
my $m = metrics($s);
is $m->{berth_ready} . $m->{berth_store_free_bytes}, '00', '... in the metrics as well';
is $s->req(GET => '/v2/full/app/manifests/one')->status, 200, 'who asks all the same can pull';
close $h;
unlink "$top/filler";
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'when there is room again it is ready';
$s->stop;
is run('umount', $top)->{status}, 0, 'it is unmounted';

done_testing;
