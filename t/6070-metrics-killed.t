#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What workers have counted stays when they are killed, or replaced; no request is lost or counted twice, however many at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Metrics;

plain_build_only('it measures counts');
my $s = Berth::Server->start(workers => 4);
my ($d) = $s->push_image('kill/app', 'one', layers => ['a layer']);
my $get = 'berth_http_requests_total{route="manifest",method="GET",status="200"}';

# many at once
my $before = metrics($s);
my @n = run_parallel(8, sub {
	my $n = 0;
	$n += $s->req(GET => '/v2/kill/app/manifests/one')->status == 200 for 1 .. 50;
	return $n;
});
my $asked = 0;
$asked += $_ for @n;
is $asked, 400, 'eight clients ask for a manifest fifty times each';
my $after = metrics($s);
is delta($before, $after, $get), 400, 'all of them are counted, in all workers together';
is delta($before, $after, 'berth_http_request_duration_seconds_count{route="manifest"}'), 400, '... and how long they took';

# killed
my @was = $s->kill_workers;
ok wait_for(sub { my %now = map { $_ => 1 } $s->worker_pids; keys %now == @was && !grep { $now{$_} } @was }), 'all workers are killed, and replaced';
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), '... and take requests';
my $m = metrics($s);
is $m->{$_}, $after->{$_}, "$_ stays what it was" for grep { /^berth_http_requests_total\{|_bytes_total|blobs_added|^berth_uploads_(?:begun|ended)/ } sort keys %$after;
is by_name($m, 'berth_worker_restarts_total'), scalar @was, 'each death is counted as a restart';
is $m->{'berth_worker_restarts_total{pool="requests"}'}, 4, '... in the pool to which it belongs';
ok wait_for(sub { my $m = metrics($s); by_name($m, 'berth_workers') == by_name($m, 'berth_workers_wanted') }), 'all that are wanted are there again';
$s->req(GET => '/v2/kill/app/manifests/one') for 1 .. 3;
is metrics($s)->{$get}, $after->{$get} + 3, 'and the new ones go on counting';

# replaced by a reload
@was = $s->worker_pids;
$s->reload;
ok wait_for(sub { my %now = map { $_ => 1 } $s->worker_pids; !grep { $now{$_} } @was }), 'a reload replaces all workers';
$m = metrics($s);
is $m->{$get}, $after->{$get} + 3, '... and what was counted stays';
is by_name($m, 'berth_worker_restarts_total'), scalar @was, '... and no restart is counted: nobody died';

# while workers die all the time
my $stop = time + 4;
my $base = $m->{$get};
my @done = run_parallel(5, sub {
	my ($i) = @_;
	my $n = 0;
	while (time < $stop || ($i && $n < 15 && time < $stop + 120)) {
		if ($i == 0) {
			kill KILL => ($s->worker_pids)[0];
			$n++;
			sleep 0.5;
		} else {
			$n++ if $s->req(GET => '/v2/kill/app/manifests/one')->status == 200;
		}
	}
	return $n;
});
my ($answered, $killed) = (0, shift @done);
$answered += $_ for @done;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'workers die while clients ask';
my $counted = metrics($s)->{$get} - $base;
cmp_ok $answered, '>=', 60, "$answered requests were answered meanwhile";
# a worker may be killed between its answer and counting it; never is one counted without an answer but for the same reason
cmp_ok abs($counted - $answered), '<=', $killed, "and as many are counted, but for those of the killed ($counted)";

# a new master begins anew
$s->stop_workers;
my $from = int time;
$s->start_workers;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'a new master';
$m = metrics($s);
is $m->{$get} // 0, 0, '... begins at 0, as Prometheus expects of a restart';
ok $m->{berth_start_time_seconds} >= $from && $m->{berth_start_time_seconds} <= time, '... and says when';

done_testing;
