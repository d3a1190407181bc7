#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Starting berth-fcgi by hand: sockets of all kinds, spawn-fcgi's descriptor 0, and what stands in the way, said in one
# line.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Berth::Test;
use Berth::FCGI;

my $program = program('berth-fcgi');
my $dir = tmp_dir();
my %get = (REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/');

# A master of our own, its log in a file; stopped and reaped at the end whatever happens.
my @started;
sub start
{
	my ($log, @args) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>', $log or POSIX::_exit(99);
		exec $program, @args or POSIX::_exit(99);
	}
	push @started, $pid;
	wait_for { -s $log && slurp($log) =~ /"event":"ready"/ } or diag(slurp($log));
	return $pid;
}

sub stop
{
	my ($pid) = @_;
	kill TERM => $pid;
	waitpid $pid, 0;
	@started = grep { $_ != $pid } @started;
	return $?;
}

END {
	my $status = $?;
	kill KILL => $_ for @started;
	waitpid $_, 0 for @started;
	$? = $status;
}

sub fails_with
{
	my ($exit, $pattern, $title, @args) = @_;
	my $r = run($program, @args);
	is $r->{status}, $exit, "$title: exit status $exit";
	my @lines = split /\n/, $r->{out} . $r->{err};
	is scalar(@lines), 1, "$title: one line" or diag(@lines);
	like $lines[0], $pattern, "$title: which says why";
}

# a Unix socket
my $socket = "$dir/s.sock";
my $pid = start("$dir/unix.log", '--root', "$dir/store", '--listen', $socket);
is +(Berth::FCGI->new($socket)->request(params => \%get)->body), '{}', 'workers answer on a Unix socket';
is((stat $socket)[2] & 0777, 0660, 'which owner and group alone can use');
fails_with(1, qr/another process listens on/, 'a socket in use', '--root', "$dir/store", '--listen', $socket);
is stop($pid), 0, 'a master that is told to stop ends with status 0';
ok !-e $socket, 'and its socket is gone';

# a stale one
unlink "$socket.lock";
my $stale = IO::Socket::UNIX->new(Local => $socket, Listen => 1) or die $!;
fails_with(1, qr/another process listens on/, 'a socket that is somebody else\'s', '--root', "$dir/store", '--listen', $socket);
unlink "$socket.lock";
close $stale;
ok -S $socket, 'a socket that nobody listens on any more';
$pid = start("$dir/stale.log", '--root', "$dir/store", '--listen', $socket);
is +(Berth::FCGI->new($socket)->request(params => \%get)->status), 200, 'is taken over';
stop($pid);

# a master that was killed while a worker still works: the path is free at once
my $old = start("$dir/old.log", '--root', "$dir/store", '--listen', $socket, '--workers', '1');
my $busy = Berth::FCGI->new($socket)->connect;
syswrite $busy, Berth::FCGI::begin();
sleep 1;
kill KILL => $old;
waitpid $old, 0;
@started = grep { $_ != $old } @started;
$pid = start("$dir/new.log", '--root', "$dir/store", '--listen', $socket);
is +(Berth::FCGI->new($socket)->request(params => \%get)->status), 200, 'the path of a killed master is taken over';
close $busy;
stop($pid);

# under load: who is told to go goes
$pid = start("$dir/load.log", '--root', "$dir/store", '--listen', $socket, '--workers', '1');
my @load = map {
	my $child = fork // die "fork: $!";
	if (!$child) {
		my $end = time + 120;
		while (time < $end) { eval { Berth::FCGI->new($socket)->request(params => \%get); 1 } or last }
		POSIX::_exit(0);
	}
	$child;
} 1 .. 8;
sleep 1;
kill TERM => $pid;
my $gone = wait_for { waitpid($pid, POSIX::WNOHANG()) == $pid };
ok $gone, 'a signal is seen under a load that never stops';
@started = grep { $_ != $pid } @started if $gone;
kill KILL => @load;
waitpid $_, 0 for @load;

# TCP
my $port = Berth::Server::free_port();
my $free = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1) or die $!;
fails_with(1, qr/cannot listen on 127\.0\.0\.1:$port/, 'a port in use', '--root', "$dir/store", '--listen', "127.0.0.1:$port");
close $free;
$pid = start("$dir/tcp.log", '--root', "$dir/store", '--listen', "127.0.0.1:$port");
is +(Berth::FCGI->new("127.0.0.1:$port")->request(params => \%get)->status), 200, 'workers answer on a TCP port';
stop($pid);

# descriptor 0, as spawn-fcgi hands it over
need_program('spawn-fcgi');
my $spawned = "$dir/spawned.sock";
my $r = run('spawn-fcgi', '-s', $spawned, '-P', "$dir/pid", '--', $program, '--root', "$dir/store", '--workers', '2');
is $r->{status}, 0, 'spawn-fcgi starts it';
my $spawned_pid = slurp("$dir/pid") =~ /(\d+)/ ? $1 : die 'no pid';
is +(Berth::FCGI->new($spawned)->request(params => \%get)->body), '{}', 'workers answer on the socket that spawn-fcgi made';
kill TERM => $spawned_pid;
ok +(wait_for { !kill 0 => $spawned_pid }), 'and go when they are told to';

# what stands in the way
fails_with(1, qr/descriptor 0 is not a listening socket.*--listen/, 'no socket at all', '--root', "$dir/store");
fails_with(1, qr/exists and is not a socket/, 'a file where the socket belongs', '--root', "$dir/store", '--listen', $program);
fails_with(1, qr/neither HOST:PORT nor a path/, 'an address without a port', '--root', "$dir/store", '--listen', 'localhost');
spew("$dir/file", '');
fails_with(1, qr/cannot make the store/, 'a store below a file', '--root', "$dir/file/store", '--listen', $socket);
mkdir "$dir/newer";
mkdir "$dir/newer/berth";
spew("$dir/newer/berth/format", "99\n");
fails_with(1, qr/newer berth/, 'a store of a newer format', '--root', "$dir/newer", '--listen', $socket);
fails_with(2, qr/--workers takes a number/, 'no workers at all', '--workers', '0', '--listen', $socket);
fails_with(2, qr/what is "stray"/, 'an argument too many', 'stray');
spew("$dir/bad.conf", "delete = 1;\n");
fails_with(2, qr/bad\.conf:1: /, 'a bad configuration', '--config', "$dir/bad.conf", '--listen', $socket);

done_testing;
