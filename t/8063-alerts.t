#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The rules for alerts fire when they should and not before; the dashboard asks for metrics that there are.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;

need_program('promtool');
my $doc = source_dir() . '/doc';
my $rules = "$doc/alerts.yml";
my $dir = tmp_dir();
run_ok('promtool', 'check', 'rules', $rules, 'promtool finds nothing wrong with the rules');

my ($scrape) = slurp("$doc/METRICS.md") =~ /^```\n(scrape_configs:\n.*?)^```$/ms;
run_ok('promtool', 'check', 'config', spew("$dir/prometheus.yml", "rule_files: [ $rules ]\n$scrape"), 'nor with the configuration that the manual prints');
is +($scrape =~ /job_name: (\w+)/)[0], 'berth', '... which names the job as the rules do';
my ($at) = $scrape =~ /targets: \[ "([^"]*)"/;
like slurp("$doc/METRICS.md"), qr/`monitor=\Q$at\E`/, '... and asks where the manual has nginx listen';

# --- each alert: series in steps of a minute, when it is looked at, and whether it is on then
my $i = 'instance="r:5000"';
my @cases = (
	[ BerthDown => ["up{job=\"berth\",$i}" => '1x10 0x10'], [ 12 => 0 ], [ 14 => 1 ] ],
	[ BerthNotReady => ["berth_ready{$i}" => '1x10 0x3 1x10'], [ 11 => 0 ], [ 13 => 1 ], [ 15 => 0 ] ],
	[ BerthErrors => ["berth_http_requests_total{$i,route=\"blob\",status=\"200\"}" => '0+600x60', "berth_http_requests_total{$i,route=\"tags\",status=\"503\"}" => '0+0x20 0+60x40'],
		[ 20 => 0 ], [ 26 => 0 ], [ 40 => 1 ] ],
	[ BerthErrors => ["berth_http_requests_total{$i,route=\"blob\",status=\"200\"}" => '0+600x60', "berth_http_requests_total{$i,route=\"tags\",status=\"404\"}" => '0+600x60'], [ 40 => 0 ] ],
	[ BerthSlow => [ map { ("berth_http_request_duration_seconds_bucket{$i,route=\"manifest\",le=\"$_->[0]\"}" => "0+$_->[1]x60") } [ 0.1, 98 ], [ 1, 98 ], [ 5, 100 ], [ '+Inf', 100 ] ],
		[ 5 => 0 ], [ 20 => 1 ] ],
	[ BerthSlow => [ map { ("berth_http_request_duration_seconds_bucket{$i,route=\"upload\",le=\"$_->[0]\"}" => "0+$_->[1]x60") } [ 1, 0 ], [ 60, 100 ], [ '+Inf', 100 ] ], [ 40 => 0 ] ],
	[ BerthWorkersDie => ["berth_worker_restarts_total{$i,pool=\"requests\"}" => '0x20 1x20 1+1x20'], [ 30 => 0 ], [ 50 => 1 ] ],
	[ BerthRelayDies => ["berth_relay_restarts_total{$i}" => '0x20 1x20 1+1x20'], [ 30 => 0 ], [ 50 => 1 ] ],
	[ BerthWorkersMissing => ["berth_workers{$i,pool=\"uploads\"}" => '2x10 1x20', "berth_workers_wanted{$i,pool=\"uploads\"}" => '2x40'], [ 12 => 0 ], [ 18 => 1 ] ],
	[ BerthMachineSilent => ["berth_machines_silent{$i}" => '0x10 1x10 0x20'], [ 9 => 0 ], [ 14 => 1 ], [ 22 => 0 ] ],
	[ BerthStoreFull => ["berth_store_free_bytes{$i}" => '10x10 4x20', "berth_store_size_bytes{$i}" => '100x40'], [ 12 => 0 ], [ 18 => 1 ] ],
	[ BerthStoreFillsUp => ["berth_store_free_bytes{$i}" => '2000-0.5x600', "berth_store_size_bytes{$i}" => '10000x600'], [ 60 => 0 ], [ 595 => 0 ] ],
	[ BerthStoreFillsUp => ["berth_store_free_bytes{$i}" => '2000-2x600', "berth_store_size_bytes{$i}" => '10000x600'], [ 20 => 0 ], [ 400 => 1 ] ],
	[ BerthStoreFillsUp => ["berth_store_free_bytes{$i}" => '5000-5x600', "berth_store_size_bytes{$i}" => '10000x600'], [ 400 => 0 ] ],
	[ BerthNoCollection => ["berth_gc_last_end_timestamp_seconds{$i}" => '0x5000'], [ 4300 => 0 ], [ 4400 => 1 ] ],
	[ BerthCollectionFails => ["berth_gc_runs_total{$i,result=\"failed\"}" => '0x30 1x30'], [ 20 => 0 ], [ 40 => 1 ] ],
	[ BerthCollectionFails => ["berth_gc_runs_total{$i,result=\"done\"}" => '0x30 1x30'], [ 40 => 0 ] ],
	[ BerthLoginsRefused => ["berth_logins_refused_total{$i,reason=\"wrong\"}" => '0x20 0+120x40'], [ 20 => 0 ], [ 50 => 1 ] ],
	[ BerthLoginsUnavailable => ["berth_logins_refused_total{$i,reason=\"unavailable\"}" => '0x20 1x20'], [ 19 => 0 ], [ 22 => 1 ] ],
	[ BerthLockWaits => ["berth_lock_wait_seconds_count{$i,lock=\"repository\"}" => '0+3x40', "berth_lock_wait_seconds_bucket{$i,lock=\"repository\",le=\"1\"}" => '0+2x40'], [ 20 => 1 ] ],
	[ BerthLockWaits => ["berth_lock_wait_seconds_count{$i,lock=\"repository\"}" => '0+30x40', "berth_lock_wait_seconds_bucket{$i,lock=\"repository\",le=\"1\"}" => '0+30x40'], [ 20 => 0 ] ],
	[ BerthHookWaits => ["berth_hook_waiting_seconds{$i,endpoint=\"deploy\"}" => '0x10 901+60x30'], [ 10 => 0 ], [ 14 => 0 ], [ 20 => 1 ] ],
	[ BerthQuotaNearlyUsed => ["berth_quota_groups_warned{$i}" => '0x10 2x30 0x10'], [ 15 => 0 ], [ 25 => 1 ], [ 45 => 0 ] ],
	[ BerthUpstreamFails => ["berth_upstream_requests_total{$i,upstream=\"hub\",result=\"unreached\"}" => '0x10 0+1x40 40x30', "berth_upstream_requests_total{$i,upstream=\"hub\",result=\"ok\"}" => '0+1x10 10x80'],
		[ 20 => 0 ], [ 45 => 1 ], [ 75 => 0 ] ],
	[ BerthUpstreamFails => ["berth_upstream_requests_total{$i,upstream=\"hub\",result=\"failed\"}" => '0+1x60', "berth_upstream_requests_total{$i,upstream=\"hub\",result=\"ok\"}" => '0+1x60'], [ 50 => 0 ] ],
	[ BerthStaleAnswers => ["berth_cache_stale_total{$i}" => '0x10 0+1x40 40x30'], [ 15 => 0 ], [ 40 => 1 ], [ 75 => 0 ] ],
	[ BerthRateLimitNearlyUsed => ["berth_upstream_ratelimit_remaining{$i,upstream=\"hub\"}" => '100x10 5x20 100x10'], [ 8 => 0 ], [ 20 => 1 ], [ 38 => 0 ] ],
	[ BerthHookGivesUp => ["berth_hook_dead_total{$i,endpoint=\"deploy\"}" => '0x20 3x40'], [ 19 => 0 ], [ 23 => 1 ], [ 50 => 0 ] ],
);
# A rule that is on has labels and texts of its own, which are not the matter here: ALERTS says which is.
my $n = 0;
my %tried;
for (@cases) {
	my ($alert, $series, @when) = @$_;
	my $text = "rule_files: [ $rules ]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n";

	for (my $j = 0; $j < @$series; $j += 2) {
		$text .= "      - series: '$series->[$j]'\n        values: '$series->[ $j + 1 ]'\n";
	}
	$text .= "    promql_expr_test:\n";
	for (@when) {
		my ($minute, $on) = @$_;
		$tried{$alert}{$on}++;
		$text .= "      - expr: 'count(ALERTS{alertname=\"$alert\",alertstate=\"firing\"}) or vector(0)'\n        eval_time: ${minute}m\n"
			. "        exp_samples:\n          - labels: '{}'\n            value: $on\n";
	}
	my $file = spew("$dir/" . $n++ . '.yml', $text);
	my $r = run('promtool', 'test', 'rules', $file);
	is $r->{status}, 0, "$alert is " . join(', ', map { ($_->[1] ? 'on' : 'off') . " after $_->[0] minutes" } @when) or diag("$r->{out}$r->{err}");
}
my @alerts = slurp($rules) =~ /^ *- alert: (\w+)$/mg;
is join(' ', grep { !$tried{$_}{1} } @alerts), '', 'each alert was seen';

# --- all of them, and the dashboard, ask for what there is
my %known = map { $_ => 1 } slurp("$doc/METRICS.md") =~ /^\| `(berth_[a-z_]+)` \|/mg;
sub unknown { my ($text) = @_; return join ' ', grep { my $m = $_; !$known{$m} && !$known{ $m =~ s/_(?:bucket|sum|count)$//r } } $text =~ /\b(berth_[a-z_]+)\b/g }
is unknown(slurp($rules)), '', 'the rules name metrics that doc/METRICS.md lists';
my $board = JSON::PP->new->utf8->decode(slurp("$doc/dashboard.json"));
my @exprs = map { map { $_->{expr} } @{ $_->{targets} } } @{ $board->{panels} };
is unknown("@exprs"), '', 'so does the dashboard';
my $all = "groups:\n  - name: dashboard\n    rules:\n";
for my $k (0 .. $#exprs) {
	my $e = $exprs[$k] =~ s/\$__rate_interval/5m/gr =~ s/\$instance/.*/gr;
	$all .= "      - record: dashboard:$k\n        expr: " . JSON::PP->new->allow_nonref->encode($e) . "\n";
}
run_ok('promtool', 'check', 'rules', spew("$dir/dashboard.yml", $all), 'and all that it asks is PromQL');
my (%at, @overlap);
for my $p (@{ $board->{panels} }) {
	my $g = $p->{gridPos};
	for my $x ($g->{x} .. $g->{x} + $g->{w} - 1) {
		push @overlap, $p->{title} if $x > 23 || grep { $at{"$x,$_"}++ } $g->{y} .. $g->{y} + $g->{h} - 1;
	}
}
is "@overlap", '', 'no panel lies over another';

done_testing;
