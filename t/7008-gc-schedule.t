#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Collections that berth-fcgi begins by itself, and the configuration's presets for `berth gc`.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

sub collected { my ($s) = @_; return grep { ($_->{event} // '') eq 'collected' } $s->log_events }
sub garbage { my ($s, $bytes) = @_; my $d = $s->push_blob('sched/app', $bytes); return blob_file($s, $d) }

my $s = Berth::Server->start(workers => 2, config => qq(gc = { every = "2s"; grace = "1s"; };\n));
my ($kept) = $s->push_image('sched/app', 'v1', layers => ['a layer that is needed']);
my $file = garbage($s, 'nobody names this');
ok +(wait_for { !-e $file } 30), 'garbage goes without anybody asking';
my $event = wait_for { (grep { $_->{blobs} } collected($s))[0] } 10;
is $event->{level}, 'info', 'the log says it in one line';
is $event->{blobs}, 1, 'with the number of blobs that went';
is $event->{bytes}, length 'nobody names this', 'and their bytes';
like $event->{ms}, qr/^\d+\.\d+$/, 'and how long it took';
is $s->req(GET => '/v2/sched/app/manifests/v1')->status, 200, 'an image that is needed stays';
my $runs = collected($s);
ok +(wait_for { collected($s) > $runs } 20), 'and again after a while';

# a collection by hand counts as one
$s->config(qq(gc = { every = "1h"; grace = "1s"; };\n));
my @old = $s->worker_pids;
$s->reload;
wait_for { my %now = map { $_ => 1 } $s->worker_pids; !grep { $now{$_} } @old } 10;
$file = garbage($s, 'more of it');
sleep 3;
$runs = collected($s);
my $gc = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'gc', '--log');
is $gc->{status}, 0, '`berth gc` beside it works';
like $gc->{err}, qr/\A\{"time":.*"event":"collected".*"blobs":1,.*\}\n\z/, 'with --log it says its sum as a line of the log';
ok !-e $file, 'its grace is that of the configuration';
is scalar(collected($s)), $runs, 'nothing is collected before it is time';

# who starts soon after the last collection does not begin with one; who starts late does
$s->stop_workers;
$s->config(qq(gc = { every = "30m"; grace = "1s"; };\n));
$s->start_workers;
$file = garbage($s, 'a third');
sleep 2;
ok -e $file, 'a start does not collect where that was done lately';
$s->stop_workers;
utime time - 3600, time - 3600, $s->root . '/berth/gc/last' or die;
my $old = time - 7200;
utime $old, $old, $file, layer_link($s, 'sched/app', sha256('a third')) or die;
$s->start_workers;
ok +(wait_for { !-e $file } 20), 'a start that comes late collects at once';

# one that is killed is begun again, and its mark does not stay
garbage($s, "slow $_") for 1 .. 40;
$old = time - 7200;
utime $old, $old, $_ or die for map { my $d = sha256("slow $_"); (blob_file($s, $d), layer_link($s, 'sched/app', $d)) } 1 .. 40;
$s->stop_workers;
utime time - 3600, time - 3600, $s->root . '/berth/gc/last' or die;
$s->config(qq(gc = { every = "30m"; grace = "1s"; rate = 2; };\n));
$s->start_workers;
ok +(wait_for { -e $s->root . '/berth/gc/run' } 20), 'a slow collection is on';
my ($begun) = reverse grep { ($_->{event} // '') eq 'collecting' } $s->log_events;
kill KILL => $begun->{pid};
ok +(wait_for { !-e $s->root . '/berth/gc/run' } 20), 'it is killed: its mark goes';
ok +(wait_for { grep { ($_->{event} // '') eq 'collection_killed' } $s->log_events } 10), 'and the log says it';
is $s->req(GET => '/v2/sched/app/manifests/v1')->status, 200, 'the registry goes on';

# a stop does not wait for it
$s->stop_workers;
$s->start_workers;
ok +(wait_for { -e $s->root . '/berth/gc/run' } 20), 'after a start it is begun again';
my $before = time;
$s->stop_workers;
cmp_ok time - $before, '<', 15, 'SIGTERM ends it at once, however long it would have taken';

done_testing;
