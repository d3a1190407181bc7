#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Workers that die again and again: the loop is slowed down and said; clients are told at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 2);
$s->push_image('crash/app', 'one', layers => ['layer']);
my $count = () = $s->worker_pids;
my $loc = upload_start($s, 'crash/app');

# one that dies is replaced at once
my ($one) = $s->worker_pids;
kill KILL => $one;
ok +(wait_for { my @p = $s->worker_pids; @p == $count && !grep { $_ == $one } @p }), 'a worker that dies is replaced';
is $s->req('GET', '/v2/crash/app/manifests/one')->status, 200, 'nobody notices';

# a process kills every worker that appears, and counts, until the master says that it is a loop; the test asks meanwhile
my $lines = () = $s->log;
my $done = tmp_dir();
my @result = run_parallel(4, sub {
	my ($i) = @_;
	my $began = time;
	if ($i == 0) {
		my %seen;
		while (time < $began + 6 || (() = glob "$done/*") < 3 || !grep { /"event":"crash_loop"/ } $s->log) {
			for my $p ($s->worker_pids) {
				$seen{$p}++;
				kill KILL => $p;
			}
			sleep 0.002;
		}
		return [scalar keys %seen, (time - $began) / 6];
	}
	sleep 0.3;
	my (%status, $fault);
	while (time < $began + 5.5 || (!$status{503} && time < $began + 120)) {
		my $r = $i == 1 ? $s->req('GET', '/v2/crash/app/manifests/one')
			: $i == 2 ? $s->req('PATCH', $loc, body => 'x' x 1000)
			: $s->req('PUT', '/v2/crash/app/manifests/two', headers => ['Content-Type' => OCI_MANIFEST], body => '{}');
		$status{ $r->status }++;
		$fault ||= error_fault($r, 503, 'UNAVAILABLE') if $r->status >= 500;
		sleep 0.02;
	}
	spew("$done/$i", '');
	return { fault => $fault // '', unavailable => $status{503} // 0 };
});
my ($started, $times) = @{ shift @result };       # and how many times six seconds it took
cmp_ok $started, '>=', $count, "workers are started again and again ($started)";
cmp_ok $started, '<', 20 * $count * $times, 'but the loop is slowed down';
for my $i (0 .. 2) {
	my $what = ('GET of a manifest', 'PATCH of an upload', 'PUT of a manifest')[$i];
	cmp_ok $result[$i]{unavailable}, '>', 0, "$what: clients are told with 503";
	is $result[$i]{fault}, '', "$what: as UNAVAILABLE, in JSON, with Retry-After";
}
my @log = $s->log;
splice @log, 0, $lines;
my @loop = grep { /crash|loop|too fast|slow|again and again|delay|back.?off/i } grep { !/"event":"request"/ } @log;
ok @loop, 'the log says that the loop is slowed down' or diag join "\n", @log[0 .. ($#log > 10 ? 10 : $#log)];
cmp_ok scalar(grep { !/"event":"(request|precheck)"/ } @log), '<', 60 * $count * $times, 'and is not flooded';

ok +(wait_for { $s->worker_pids == $count }), 'when the cause is gone all workers are back';
is $s->req('GET', '/v2/crash/app/manifests/one')->status, 200, 'and serve';
is $s->req('PUT', "$loc?digest=" . sha256(content_of(data_dir($s) . '/repositories/crash/app/_uploads/' . ($loc =~ m{([^/]+)$})[0] . '/data') // ''))->status, 201, 'and the upload goes on';
ok $s->master_alive, 'the master is the same';

done_testing;
