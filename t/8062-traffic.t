#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# nginx/traffic: what nginx has received and sent, byte for byte, from its access log; over a rotation, and started often.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Metrics;

need_program('promtool', 'nginx');
my $traffic = source_dir() . '/nginx/traffic';
my $dir = tmp_dir();
my $out = "$dir/berth.prom";
my $s = Berth::Server->start(workers => 2);
my $log = $s->dir . '/nginx/access.log';

# by_hand - one request as it stands, bytes as they come: how many of each
my ($sent, $received, $asked) = (0, 0, 0);
sub by_hand
{
	my ($request) = @_;
	my $k = $s->sock;
	my $got = '';

	print {$k} $request;
	1 while sysread $k, $got, 1 << 16, length $got;
	close $k;               # nginx waits for that, and then writes its line
	$sent += length $request;
	$received += length $got;
	$asked++;
	wait_for { $s->access_log >= $asked };
	return substr $got, 9, 3;
}
sub get { return by_hand("GET $_[0] HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" . ($_[1] // '') . "\r\n") }

my $blob = random_bytes(100_000);
my $put = "POST /v2/t/a/blobs/uploads/?digest=" . sha256($blob) . " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n$blob";
$asked = () = $s->access_log;
my $skip = $asked;
is run($traffic, $log, $out)->{status}, 0, 'a first time';
my $before = metrics(slurp($out));
my $lint = run({ stdin => slurp($out) }, 'promtool', 'check', 'metrics');
is $lint->{status} . $lint->{out} . $lint->{err}, '0', 'promtool finds nothing wrong with what it writes';

is by_hand($put), 201, 'a blob is pushed';
is get('/v2/t/a/blobs/' . sha256($blob)), 200, 'and pulled';
is get('/v2/t/a/blobs/' . sha256($blob), "Range: bytes=5-9\r\n"), 206, 'a part of it';
is get('/v2/t/none/tags/list'), 404, 'and something that is not there';
is get("/v2/\",\"status\":200,\"bytes\":777777,\"request_bytes\":777777,\"request_time\":1"), 404, 'and something that looks like a line of the log';
sub sums
{
	my ($title) = @_;
	my $m = metrics(slurp($out));
	is delta($before, $m, 'berth_nginx_received_bytes_total'), $sent, "$title: what was received is what clients have sent";
	is delta($before, $m, 'berth_nginx_sent_bytes_total'), $received, "$title: and what was sent is what they got";
	is by_name($m, 'berth_nginx_requests_total') - by_name($before, 'berth_nginx_requests_total'), $asked - $skip, "$title: every request counts once";
	return $m;
}
run_ok($traffic, $log, $out, 'run again');
my $m = sums('once');
is delta($before, $m, "berth_nginx_requests_total{status=\"$_\"}"), 1, "a status of $_" for 201, 200, 206;
run_ok($traffic, $log, $out, 'and again') for 1 .. 3;
sums('a few times');

# a line that is being written is left for the next time
my $line = '{"status":200,"bytes":11,"request_bytes":7,"request_time":0.000}';
open my $h, '>>', $log or die;
syswrite $h, substr $line, 0, 30;
run_ok($traffic, $log, $out, 'in the middle of a line');
sums('half a line');
syswrite $h, substr($line, 30) . "\n";
close $h;
$sent += 7, $received += 11, $asked++;
run_ok($traffic, $log, $out, 'and at its end');
sums('a whole line');

# rotated
get('/v2/');
rename $log, "$log.1" or die;
kill USR1 => $s->nginx_pid;
ok wait_for(sub { -e $log }), 'the log is rotated';
wait_for { !grep { (readlink // '') eq "$log.1" } map { glob "/proc/$_/fd/*" } Berth::Server::children($s->nginx_pid) };
$asked = 0;
get('/v2/') for 1 .. 2;
run_ok($traffic, $log, $out, 'after that');
$asked += 7 + $skip;            # five, the line, and one before the rotation
sums('both logs');
# cut
open $h, '+<', $log or die;
truncate $h, 0;
close $h;
$asked = 0;
get('/v2/');
run_ok($traffic, $log, $out, 'a log that was cut');
$asked += 9 + $skip;
sums('cut');

# what cannot be
for ([ "$dir/none", $out ], [ $log, "$dir/none/x.prom" ], [ $log, "$dir/x" ], [$log], [ $log, spew("$dir/other.prom", "node_load1 3\n") ]) {
	my $r = run($traffic, @$_);
	is $r->{status}, 1, 'what cannot be done is said';
	like $r->{err}, qr{\Anginx/traffic: [^\n]+\n\z}, '... in one line';
}
is slurp("$dir/other.prom"), "node_load1 3\n", 'the file of somebody else stays as it is';

done_testing;
