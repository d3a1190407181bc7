#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Started by systemd: sockets that are handed over, the word that it serves, and how little the units may do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Berth::Test;

need_program(qw(systemd-socket-activate systemd-analyze));

my $dir = tmp_dir();
my $program = program('berth-fcgi');
my %get = (REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/', SERVER_PROTOCOL => 'HTTP/1.1', REMOTE_ADDR => '127.0.0.1');
my @pids;

sub start
{
	my @cmd = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDERR, '>', "$dir/log";
		open STDOUT, '>', '/dev/null';
		open STDIN, '<', '/dev/null';
		{ no warnings; exec { $cmd[0] } @cmd }
		POSIX::_exit(127);
	}
	push @pids, $pid;
	return $pid;
}

sub stop
{
	my ($pid) = @_;

	kill TERM => $pid;
	waitpid $pid, 0;
	@pids = grep { $_ != $pid } @pids;
	return $? >> 8;
}

END { kill TERM => @pids if @pids }

sub answers { return eval { Berth::FCGI->new($_[0])->request(params => \%get)->body } // 'nothing' }

my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";
my $pid = start('systemd-socket-activate', '-E', "NOTIFY_SOCKET=$dir/notify", '-l', "$dir/a.sock", '-l', "$dir/b.sock", '-l', "$dir/c.sock",
	$program, '--root', "$dir/store", '--workers', '2');
ok wait_for(sub { -S "$dir/c.sock" }), 'systemd listens';
ok !-e "$dir/store", 'and starts nothing before it is needed';
is answers("$dir/a.sock"), '{}', 'the first request starts the workers, and is answered';
is answers("$dir/b.sock"), '{}', 'the second socket has workers, too';
is answers("$dir/c.sock"), '{}', 'and the third';
like slurp("$dir/log"), qr/2 workers, 2 for writes, [1-9]\d* for uploads/, 'each of its own';
my $word = '';
$notify->blocking(0);
ok wait_for(sub { $notify->recv($word, 100); $word ne '' }), 'systemd is told';
is $word, 'READY=1', 'that it serves';
is stop($pid), 0, 'SIGTERM ends it';
ok -S "$dir/a.sock", 'the socket stays, which is systemd\'s';

unlink glob("$dir/*.sock");
$pid = start('systemd-socket-activate', '-l', "$dir/a.sock", '-l', "$dir/b.sock", $program, '--root', "$dir/store", '--workers', '2');
ok wait_for(sub { -S "$dir/b.sock" }), 'two sockets, as before there was a third';
is answers("$dir/b.sock"), '{}', 'the second has workers';
like slurp("$dir/log"), qr/2 workers, 0 for writes, [1-9]\d* for uploads/, 'for uploads; writes are done by those of the first';
stop($pid);

unlink glob("$dir/*.sock");
$pid = start('systemd-socket-activate', '-l', "$dir/a.sock", $program, '--root', "$dir/store", '--workers', '2');
ok wait_for(sub { -S "$dir/a.sock" }), 'one socket is enough';
is answers("$dir/a.sock"), '{}', 'for everything';
stop($pid);
my $r = run({ env => { LISTEN_PID => 1, LISTEN_FDS => 1 } }, $program, '--root', "$dir/store");
is $r->{status}, 1, 'sockets that were another process\'s';
is $r->{err}, "berth-fcgi: descriptor 0 is no listening socket; use --listen, or start with spawn-fcgi or systemd: Socket operation on non-socket\n",
	'are not taken';

# --- the units

run_ok('make', '-s', '-C', build_dir(), 'install', "DESTDIR=$dir/root", 'make install');
my ($units) = glob("$dir/root/usr/local/lib/systemd/system");
my %most = ('berth.service' => 1.5, 'berth-gc.service' => 1.5, 'berth-nginx.service' => 2.5);
for my $unit (sort keys %most) {
	my $text = slurp("$units/$unit");
	unlike $text, qr/@[a-z]+@/, "$unit is filled in";
	$r = run('systemd-analyze', 'security', '--no-pager', '--offline=true', "$units/$unit");
	my ($exposure) = $r->{out} =~ /exposure level for \S+: ([0-9.]+)/;
	cmp_ok $exposure // 10, '<=', $most{$unit}, "$unit: $exposure of 10 is exposed" or diag("$r->{out}$r->{err}");
}
$r = run('systemd-analyze', 'verify', '--man=no', glob("$units/*.timer"), glob("$units/*.socket"));
is join("\n", grep { /\Q$units\E|Unknown|assign/ && !/not executable|No such file/ } split /\n/, $r->{err}), '', 'systemd understands them';

done_testing;
