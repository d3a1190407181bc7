#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# /healthz, /readyz and /metrics: what they say when something is wrong, and who may ask.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::FCGI;
use Berth::Metrics;

my $s = Berth::Server->start(workers => 3);
my @closed = ('/readyz', '/metrics', '/metrics/nginx');
my $tmp = $s->root . '/berth/tmp';

# --- all is well
my $r = $s->req(GET => '/healthz');
is $r->status . $r->body, "200ok\n", '/healthz says that nginx is there';
is $s->req(HEAD => '/healthz')->status, 200, '... to HEAD as well';
$r = $s->req(GET => '/readyz');
is $r->status . $r->body, "200ready\n", '/readyz: ready';
like $r->header('Content-Type'), qr{^text/plain\b}, '... in plain text';
is $r->header('Cache-Control'), 'no-store', '... that nobody keeps';
is $s->req(HEAD => '/readyz')->status, 200, '... to HEAD as well';
like $s->req(GET => '/metrics/nginx')->body, qr/^Active connections: \d+ .*accepts handled requests/s, "/metrics/nginx is nginx's own stub_status";
is $s->req(POST => $_, body => 'x')->status, 405, "$_: nobody may POST" for '/healthz', '/readyz', '/metrics';
is scalar(grep { $_->{uri} =~ m{^/(?:healthz|readyz|metrics)} && $_->{status} == 200 } $s->access_events), 0, 'who watches does not fill the access log';
is scalar(grep { /readyz|metrics/ } $s->log), 0, "nor the workers'";

# --- who may ask
sub closed
{
	my ($r, $title) = @_;
	error_is $r, 404, 'NAME_UNKNOWN', $title;
}
for my $path (@closed) {
	closed $s->req(GET => $path, from => '127.0.0.2'), "$path from another address is as if it were not there";
	for my $h ('X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via') {
		closed $s->req(GET => $path, headers => [ $h => '127.0.0.1' ]), "$path: a request with $h has come through a proxy";
	}
	closed $s->req(GET => $path, from => '127.0.0.2', headers => [ 'X-Forwarded-For' => '127.0.0.1' ]), "$path: an address that is only said does not count";
	is $s->req(GET => $_)->status, 404, "$_ is not there" for "/v2$path", "/_berth$path", "$path/", "/_berth/monitor/none";
}
is $s->req(GET => '/healthz', from => '127.0.0.2')->status, 200, '/healthz is open to everybody';
# no header of a client's is the parameter by which nginx asks
for my $h ('BERTH_MONITOR', 'Berth-Monitor', 'HTTP_BERTH_MONITOR') {
	unlike $s->req(GET => '/v2/', headers => [ $h => 'metrics' ])->body, qr/berth_/, "a header $h asks for nothing";
}
unlike $s->req(GET => "/v2/?BERTH_MONITOR=metrics")->body, qr/berth_/, 'nor does a query';
my $direct = Berth::FCGI->new($s->worker_socket);
is $direct->request(params => { REQUEST_URI => '/metrics' })->status, 404, 'a worker that is asked for the path without that parameter knows none';
is $direct->request(params => { REQUEST_URI => '/metrics', HTTP_BERTH_MONITOR => 'metrics' })->status, 404, '... with a header of that name as well';

# --- the store cannot be written
rename $tmp, "$tmp.away" or die;
ok wait_for(sub { $s->req(GET => '/readyz')->status == 503 }, 5), 'a store that cannot be written is 503';
$r = $s->req(GET => '/readyz');
is $r->body, "the store cannot be written: No such file or directory\n", '... with the reason, in one line without a path';
is metrics($s)->{berth_ready}, 0, '... and in the metrics';
ok scalar(grep { ($_->{event} // '') eq 'not_ready' } $s->log_events), '... and in the log';
is $s->req(GET => '/healthz')->status, 200, '... nginx is there all the same';
rename "$tmp.away", $tmp or die;
ok wait_for(sub { $s->req(GET => '/readyz')->status == 200 }, 5), 'when it can be written again it is ready';
is metrics($s)->{berth_ready}, 1, '... and in the metrics';
is join(' ', glob "$tmp/*"), '', 'looking has left nothing behind';

# --- no workers
$s->stop_workers;
$r = $s->req(GET => '/readyz');
is $r->status . $r->body, "503no worker answers\n", 'without workers nginx says 503 by itself';
is $s->req(GET => '/metrics')->status, 503, '... of /metrics as well';
is $s->req(GET => '/healthz')->status, 200, '... and is there';
$s->start_workers;
ok wait_for(sub { $s->req(GET => '/readyz')->status == 200 }, 10), 'it is ready again with the workers';

# --- one pool is gone
my %before = map { $_ => 1 } $s->worker_pids;
my $end = time + 20;
my $seen;
while (!$seen && time < $end) {
	kill KILL => grep { (readlink("/proc/$_/fd/0") // '') ne '' && takes_uploads($_) } $s->worker_pids;
	my $r = $s->req(GET => '/readyz');
	$seen = $r->body if $r->status == 503;
	sleep 0.05;
}
is $seen, "no worker takes uploads\n", 'while no worker takes uploads it is not ready';

# takes_uploads - does it poll the second socket? The descriptors are alike in all workers; the epoll set is not.
sub takes_uploads
{
	my ($pid) = @_;
	my ($inode) = content_of('/proc/net/unix') =~ m{ (\d+) \Q@{[ $s->upload_socket ]}\E$}m or return 0;

	for my $info (glob "/proc/$pid/fdinfo/*") {
		for my $fd (content_of($info) =~ /^tfd:\s+(\d+)/mg) {
			return 1 if (readlink("/proc/$pid/fd/$fd") // '') eq "socket:[$inode]";
		}
	}
	return 0;
}
$s->stop;

# --- read-only
$s = Berth::Server->start(workers => 2, config => "readonly = true;\n", root => do { my $b = Berth::Server->start; my $d = tmp_dir() . '/store'; $b->stop_workers; rename $b->root, $d or die; $b->stop; $d });
is $s->req(GET => '/readyz')->status, 200, 'with readonly = true ready means that it can be read';
rename $s->root . '/berth/tmp', $s->root . '/berth/away' or die;
my $docker = $s->root . '/docker';
rename $docker, "$docker.away" or die;
ok wait_for(sub { $s->req(GET => '/readyz')->status == 503 }, 5), '... and 503 that it cannot';
is $s->req(GET => '/readyz')->body, "the store cannot be read: No such file or directory\n", '... which is said';
rename "$docker.away", $docker or die;
ok wait_for(sub { $s->req(GET => '/readyz')->status == 200 }, 5), 'what is not needed for reading does not matter';
$s->stop;

# --- who may ask is said to nginx
$s = Berth::Server->start(workers => 2, nginx_args => ['monitor=127.0.0.8/30,::1']);
is $s->req(GET => '/readyz', from => '127.0.0.9')->status, 200, 'monitor= lets in whom it names';
is $s->req(GET => '/metrics', from => $_)->status, 404, "... and nobody else: $_" for '127.0.0.1', '127.0.0.12';
$s->stop;
$s = Berth::Server->start(workers => 2, nginx_args => ['monitor=none']);
is $s->req(GET => $_)->status, 404, "monitor=none: nobody may ask for $_" for @closed;
is $s->req(GET => '/healthz')->status, 200, '... but whether nginx is there';
$s->stop;
my $bad = run(source_dir() . '/nginx/render', tmp_dir(), 'listen=127.0.0.1:1', 'root=/x', 'workers=unix:/w', 'monitor=127.0.0.1 1; x');
is $bad->{status}, 1, 'what is no address is refused';
like $bad->{err}, qr/\Anginx\/render: not addresses: [^\n]*\n\z/, '... in one line';

# --- behind a proxy, and with a login for all
$s = Berth::Server->start(workers => 2, nginx_args => ['with=proxy', 'proxy=127.0.0.1,127.0.0.2']);
for my $path (@closed) {
	closed $s->req(GET => $path, from => $_, headers => [ 'X-Forwarded-For' => '127.0.0.1' ]), "$path through a trusted proxy ($_) is closed, whatever it says" for '127.0.0.1', '127.0.0.2';
	closed $s->req(GET => $path, headers => [ 'X-Forwarded-For' => '192.0.2.1' ]), "$path for a client of a proxy on the loopback is closed";
	is $s->req(GET => $path)->status, 200, "$path from the loopback itself is open";
}
$s->stop;
my $passwords = spew(tmp_dir() . '/passwords', htpasswd(alice => 'a'));
$s = Berth::Server->start(workers => 2, config => "auth = { remote_user = true; access = ( " . rule('alice', '**', 'pull') . " ); };\n",
	nginx_args => ['with=basic', "passwords=$passwords"]);
is $s->req(GET => '/v2/')->status, 401, 'where nginx asks for a password';
is $s->req(GET => $_)->status, 200, "... it does not for $_" for '/healthz', @closed;
is $s->req(GET => $_, from => '127.0.0.2')->status, 404, "... and $_ is closed to others" for @closed;

done_testing;
