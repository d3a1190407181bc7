#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# /healthz, /readyz and /metrics: what they say when something is wrong, and where they are to be had.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
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
# the master counts workers of each kind when it has heard of them
sub is_ready { return wait_for { ($r = $s->watch('/readyz'))->status == 200 } }
is_ready();
is $r->status . $r->body, "200ready\n", '/readyz: ready';
like $r->header('Content-Type'), qr{^text/plain\b}, '... in plain text';
is $r->header('Cache-Control'), 'no-store', '... that nobody keeps';
is $s->watch($_, method => 'HEAD')->status, 200, "... to HEAD as well: $_" for '/readyz', '/healthz';
like $s->watch('/metrics/nginx')->body, qr/^Active connections: \d+ .*accepts handled requests/s, "/metrics/nginx is nginx's own stub_status";
is $s->req(POST => '/healthz', body => 'x')->status, 405, '/healthz: nobody may POST';
for my $path ('/healthz', '/readyz', '/metrics') {
	my $r = $s->watch($path, method => 'POST', body => 'x');
	is join('|', $r->status, $r->header('Allow'), $r->body), "405|GET, HEAD|only GET and HEAD\n", "$path: nobody may POST where it is watched";
}
is $s->watch($_)->status, 404, "$_ is not there where it is watched" for '/', '/v2/', '/v2/_catalog', '/_berth/none', '/_berth/request', '/readyz/', '/metrics/x';
is scalar(grep { $_->{uri} =~ m{^/(?:healthz|readyz|metrics)} && $_->{status} == 200 } $s->access_events), 0, 'who watches does not fill the access log';
is scalar(grep { /readyz|metrics/ } $s->log), 0, "nor the workers'";

# --- where the registry listens there is nothing of it, whoever asks
for my $path (@closed) {
	error_is $s->req(GET => $path, from => $_), 404, 'NAME_UNKNOWN', "$path where the registry listens: not there, from $_" for '127.0.0.1', '127.0.0.2';
	for my $h ('X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via', 'Host') {
		error_is $s->req(GET => $path, headers => [ $h => '127.0.0.1' ]), 404, 'NAME_UNKNOWN', "... with $h";
	}
	is $s->req(GET => $_)->status, 404, "$_ is not there" for "/v2$path", "/_berth$path", "$path/";
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

# --- berth ready asks a worker directly
sub ready { my $r = run(program('berth'), 'ready', @_); return [@$r{qw(status out err)}] }
is_deeply ready($s->worker_socket), [0, "ready\n", ''], 'berth ready: ready';
is_deeply ready("$tmp/none.sock"), [1, '', "berth: cannot connect to $tmp/none.sock: No such file or directory\n"], '... a socket that is not there is an error';
SKIP: {
	skip 'it makes a system call fail', 1 if $ENV{BERTH_SANITIZERS} || !have_program('strace');
	my $lost = run(qw(strace -qq -o /dev/null -e trace=write -e inject=write:error=EPIPE:signal=SIGPIPE:when=1), program('berth'), 'ready', $s->worker_socket);
	is "$lost->{status} $lost->{err}", '1 berth: cannot ask the workers at ' . $s->worker_socket . ": Broken pipe\n", '... workers that end just then';
}
is ready('a', 'b')->[0], 2, '... one socket at most';
like ready('/' . 'a' x 200)->[2], qr/^berth: the socket's path \/a+ has more than \d+ bytes: [^\n]+\n\z/, '... of a length that a socket can have';
my $mute = IO::Socket::UNIX->new(Local => tmp_dir() . '/sock', Listen => 1) or die $!;
if (!(my $pid = fork // die "fork: $!")) {
	my $c = $mute->accept;
	sysread $c, my $request, 65536;
	syswrite $c, "HTTP/1.1 400 Bad Request\r\n\r\n";
	POSIX::_exit(0);
} else {
	is_deeply ready($mute->hostpath), [1, '', 'berth: no worker answers at ' . $mute->hostpath . "\n"], '... and one on which something else answers';
	waitpid $pid, 0;
}

# --- the store cannot be written
rename $tmp, "$tmp.away" or die;
ok wait_for(sub { $s->watch('/readyz')->status == 503 }), 'a store that cannot be written is 503';
$r = $s->watch('/readyz');
is_deeply ready($s->worker_socket), [1, "the store cannot be written: No such file or directory\n", ''], '... and so says berth ready';
is $r->body, "the store cannot be written: No such file or directory\n", '... with the reason, in one line without a path';
is metrics($s)->{berth_ready}, 0, '... and in the metrics';
ok scalar(grep { ($_->{event} // '') eq 'not_ready' } $s->log_events), '... and in the log';
is $s->req(GET => '/healthz')->status, 200, '... nginx is there all the same';
rename "$tmp.away", $tmp or die;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'when it can be written again it is ready';
is metrics($s)->{berth_ready}, 1, '... and in the metrics';
is join(' ', glob "$tmp/*"), '', 'looking has left nothing behind';

# --- no workers
$s->stop_workers;
$r = $s->watch('/readyz');
is $r->status . $r->body, "503no worker answers\n", 'without workers nginx says 503 by itself';
is ready($s->worker_socket)->[0], 1, '... and so does berth ready, by itself';
is $s->watch('/metrics')->status, 503, '... of /metrics as well';
is $s->req(GET => '/healthz')->status, 200, '... and is there';
$s->start_workers;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'it is ready again with the workers';

# --- one pool is gone
my %before = map { $_ => 1 } $s->worker_pids;
my $end = time + 120;
my $seen;
while (!$seen && time < $end) {
	kill KILL => grep { (readlink("/proc/$_/fd/0") // '') ne '' && takes_uploads($_) } $s->worker_pids;
	my $r = $s->watch('/readyz');
	$seen = $r->body if $r->status == 503;
	sleep 0.05;
}
is $seen, "no worker accepts uploads\n", 'while no worker accepts uploads it is not ready';

# takes_uploads - does it poll the socket for uploads? The descriptors are alike in all workers; the epoll set is not.
sub takes_uploads
{
	my ($pid) = @_;
	my ($inode) = content_of('/proc/net/unix') =~ m{ (\d+) \Q@{[ $s->upload_socket ]}\E$}m or return 0;

	for my $info (glob "/proc/$pid/fdinfo/*") {
		for my $fd ((content_of($info) // '') =~ /^tfd:\s+(\d+)/mg) {
			return 1 if (readlink("/proc/$pid/fd/$fd") // '') eq "socket:[$inode]";
		}
	}
	return 0;
}
$s->stop;

# --- read-only
$s = Berth::Server->start(workers => 2, config => "readonly = true;\n", root => do { my $b = Berth::Server->start; my $d = tmp_dir() . '/store'; $b->stop_workers; rename $b->root, $d or die; $b->stop; $d });
ok is_ready(), 'with readonly = true ready means that it can be read';
rename $s->root . '/berth/tmp', $s->root . '/berth/away' or die;
my $docker = $s->root . '/docker';
rename $docker, "$docker.away" or die;
ok wait_for(sub { $s->watch('/readyz')->status == 503 }), '... and 503 that it cannot';
is $s->watch('/readyz')->body, "the store cannot be read: No such file or directory\n", '... which is said';
rename "$docker.away", $docker or die;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'what is not needed for reading does not matter';
$s->stop;

# --- nginx is told where
my @two = map { '127.0.0.1:' . Berth::Server::free_port() } 1, 2;
$s = Berth::Server->start(workers => 2, nginx_args => [ map { "monitor=$_" } @two ]);
is_ready();
for my $at (@two) {
	is $s->req(GET => $_, sock => IO::Socket::INET->new(PeerAddr => $at))->status, 200, "monitor=$at: $_ is there" for '/healthz', @closed;
}
is $s->req(GET => $_)->status, 404, "... and $_ not where the registry listens" for @closed;
$s->stop;
my @render = (source_dir() . '/nginx/render', tmp_dir(), 'listen=127.0.0.1:1', 'root=/x', 'workers=unix:/w');
for ([], ['monitor=none'], ['monitor=']) {
	run_ok(@render, @$_, "@$_: nginx is told no place");
	unlike slurp("$render[1]/nginx.conf"), qr/monitor/, '... and has none';
}
for my $ok ('127.0.0.1:5001', '0.0.0.0:5001', '[::]:5001', '[::1]:5001', '*:5001', 'localhost:5001', 'unix:/run/a-b/m.sock') {
	run_ok(@render, "monitor=$ok", "monitor=$ok");
	like slurp("$render[1]/with-monitor-http.conf"), qr/^\tlisten \Q$ok\E;$/m, '... is listened on';
}
# some of these said who may ask, once
my $own = run(@render, 'monitor=127.0.0.1:1');
is "$own->{status} $own->{err}", "1 nginx/render: monitor=127.0.0.1:1 is where the registry listens; it needs an address of its own\n", 'the registry and the monitor have an address each';
for my $bad ('127.0.0.1', '127.0.0.1,::1', '::1', '10.0.0.0/8', 'fe80::1:5001', '127.0.0.1:5001,127.0.0.1:5002', '127.0.0.1 1; x', '127.0.0.1:5001; x',
	'5001', ':5001', '127.0.0.1:', '127.0.0.1:123456', 'unix:x', 'unix:/a b', 'unix:/a;b', "127.0.0.1:5001\nx") {
	my $r = run(@render, "monitor=$bad");
	is $r->{status}, 1, "monitor=$bad is refused";
	like $r->{err}, qr/\Anginx\/render: monitor= is the address to listen on \(127\.0\.0\.1:5001, .*no longer those that may ask: \Q$bad\E\n\z/, '... and said what it is';
}

# --- a login for all
my $passwords = spew(tmp_dir() . '/passwords', htpasswd(alice => 'a'));
$s = Berth::Server->start(workers => 2, config => "auth = { remote_user = true; access = ( " . rule('alice', '**', 'pull') . " ); };\n",
	nginx_args => ['with=basic', "passwords=$passwords"]);
is_ready();
is $s->req(GET => '/v2/')->status, 401, 'where nginx asks for a password';
is $s->watch($_)->status, 200, "... it does not for $_ where it is watched" for '/healthz', @closed;
isnt $s->req(GET => $_)->status, 200, "... and $_ is nowhere else" for @closed;
$s->stop;

# --- every proxy that is printed: whatever it says of a client, or does not, it gives nothing away
my (%printed, @shipped);
for my $file (grep { -f } map { glob source_dir() . "/$_" } '*', qw(doc/* nginx/* docker/* debian/* systemd/*)) {
	my $text = slurp($file);
	my $name = $file =~ s/^\Q@{[ source_dir() ]}\E\///r;

	$text =~ s{\bproxy_pass http://berth_relay/}{}g;       # what is behind this is no registry
	next if $text !~ /\bproxy_pass\b/;
	push @shipped, $name if $name !~ /\.md$/;
	$printed{$name} = [ grep { /\bproxy_pass\b/ } $text =~ /^```\w*\n(.*?)^```$/msg ] if $name =~ /\.md$/;
}
is "@shipped", 'nginx/balance.conf.in nginx/with-prefix-http.conf.in nginx/with-sso-http.conf.in', 'three are shipped, one of which t/8620-balance.t tries';
my ($prefix, $sso) = map { Berth::Server::free_port() } 1, 2;
$s = Berth::Server->start(workers => 2, nginx_args => sub { ('with=prefix', 'prefix=/r', "prefix_listen=127.0.0.1:$prefix", "prefix_registry=http://127.0.0.1:$_[0]",
	'with=sso', "sso=http://127.0.0.1:$_[0]/v2/", "sso_listen=127.0.0.1:$sso", "sso_registry=http://127.0.0.1:$_[0]") });
gives_nothing($prefix, '/r', 'with=prefix');
gives_nothing($sso, '', 'with=sso');
ok exists $printed{'doc/OPERATING.md'}, 'one is printed in the manual';
for my $file (sort keys %printed) {
	my $dir = tmp_dir();

	chmod 0755, $dir;
	for my $text (@{ $printed{$file} }) {
		my $port = Berth::Server::free_port();
		$text =~ s/\blisten [^;]*;/listen 127.0.0.1:$port;/g;
		$text =~ s/127\.0\.0\.1:\d+(?=[ ;])(?<!:$port)/$s->host/ge;
		$text = "server {\n$text}\n" if $text !~ /\bserver \{/;
		spew("$dir/conf", "pid $dir/pid; error_log stderr; events { }\nhttp { access_log off; " .
			join(' ', map { "${_}_temp_path $dir/$_;" } qw(client_body proxy fastcgi uwsgi scgi)) . "\n$text}\n");
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			open STDERR, '>', "$dir/err";
			exec Berth::Server::guard(), 'nginx', '-p', $dir, '-e', 'stderr', '-c', "$dir/conf", '-g', 'daemon off;' or POSIX::_exit(127);
		}
		ok wait_for(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }), "$file: its proxy starts" or diag slurp("$dir/err");
		gives_nothing($port, '', $file);
		kill TERM => $pid;
		waitpid $pid, 0;
	}
}

sub gives_nothing
{
	my ($port, $below, $whose) = @_;
	my $status = sub { return $s->req(GET => "$below$_[0]", sock => IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"))->status };

	is $status->('/v2/'), 200, "$whose passes on to the registry";
	is $status->($_), 404, "... but not $_" for @closed;
	return;
}

done_testing;
