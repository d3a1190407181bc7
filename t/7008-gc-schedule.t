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
# barrier - the master has gone round its loop: what was due then has begun
sub barrier
{
	my ($s) = @_;

	for (1 .. 2) {
		my $n = grep { ($_->{event} // '') eq 'reload' } $s->log_events;
		$s->reload;
		wait_for { $n < grep { ($_->{event} // '') eq 'reload' } $s->log_events } or die "no reload\n";
	}
	return;
}
sub begun { my ($s) = @_; return scalar grep { ($_->{event} // '') eq 'collecting' } $s->log_events }
sub garbage { my ($s, $bytes) = @_; my $d = $s->push_blob('sched/app', $bytes); return blob_file($s, $d) }

my $s = Berth::Server->start(workers => 2);
$s->push_image('sched/app', 'v1', layers => ['a layer that is needed']);       # before the first: a push may take longer than the grace
$s->config(qq(gc = { every = "2s"; grace = "1s"; };\n));
$s->reload;
my $file = garbage($s, 'nobody names this');
ok +(wait_for { !-e $file }), 'garbage goes without anybody asking';
my $event = wait_for { (grep { $_->{blobs} } collected($s))[0] };
is $event->{level}, 'info', 'the log says it in one line';
is $event->{blobs}, 1, 'with the number of blobs that went';
is $event->{bytes}, length 'nobody names this', 'and their bytes';
like $event->{ms}, qr/^\d+\.\d+$/, 'and how long it took';
is $s->req(GET => '/v2/sched/app/manifests/v1')->status, 200, 'an image that is needed stays';
my $runs = collected($s);
ok +(wait_for { collected($s) > $runs }), 'and again after a while';

# a collection by hand counts as one
$s->config(qq(gc = { every = "1h"; grace = "1s"; };\n));
my @old = $s->worker_pids;
$s->reload;
wait_for { my %now = map { $_ => 1 } $s->worker_pids; !grep { $now{$_} } @old };
$file = garbage($s, 'more of it');
sleep 3;
barrier($s);
wait_for { !$s->at_work('collect') };     # one by the old configuration may still be under way
my $begun = begun($s);
my $gc = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'gc', '--log');
is $gc->{status}, 0, '`berth gc` beside it works';
like $gc->{err}, qr/\A\{"time":.*"event":"collected".*"blobs":1,.*\}\n\z/, 'with --log it says its sum as a line of the log';
ok !-e $file, 'its grace is that of the configuration';
barrier($s);
is begun($s), $begun, 'nothing is collected before it is time';

# who starts soon after the last collection does not begin with one; who starts late does
$s->stop_workers;
$s->config(qq(gc = { every = "30m"; grace = "1s"; };\n));
$s->start_workers;
$file = garbage($s, 'a third');
barrier($s);
is begun($s), $begun, 'a start does not collect where that was done lately';
$s->stop_workers;
utime time - 3600, time - 3600, $s->root . '/berth/gc/last' or die;
my $old = time - 7200;
utime $old, $old, $file, layer_link($s, 'sched/app', sha256('a third')) or die;
$s->start_workers;
ok +(wait_for { !-e $file }), 'a start that comes late collects at once';

# one that is killed is begun again, and its mark does not stay
garbage($s, "slow $_") for 1 .. 40;
$old = time - 7200;
utime $old, $old, $_ or die for map { my $d = sha256("slow $_"); (blob_file($s, $d), layer_link($s, 'sched/app', $d)) } 1 .. 40;
$s->stop_workers;
utime time - 3600, time - 3600, $s->root . '/berth/gc/last' or die;
$s->config(qq(gc = { every = "30m"; grace = "1s"; rate = 2; };\n));
$s->start_workers;
ok +(wait_for { -e $s->root . '/berth/gc/run' }), 'a slow collection is on';
my ($slow) = reverse grep { ($_->{event} // '') eq 'collecting' } $s->log_events;
kill KILL => $slow->{pid};
ok +(wait_for { !-e $s->root . '/berth/gc/run' }), 'it is killed: its mark goes';
ok +(wait_for { grep { ($_->{event} // '') eq 'collection_killed' } $s->log_events }), 'and the log says it';
is $s->req(GET => '/v2/sched/app/manifests/v1')->status, 200, 'the registry goes on';

# a stop does not wait for it
$s->stop_workers;
$s->start_workers;
ok +(wait_for { -e $s->root . '/berth/gc/run' }), 'after a start it is begun again';
is $s->stop_workers, 0, 'SIGTERM ends it';
ok +(grep { -e blob_file($s, sha256("slow $_")) } 1 .. 40), 'before it is done';

done_testing;
