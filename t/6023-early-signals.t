#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# SIGHUP, SIGUSR1 and SIGUSR2 that come while berth-fcgi starts: they wait until it listens to them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::FCGI;

need_program(qw(strace setarch));
plain_build_only('it counts system calls');

my $dir = tmp_dir();
my @serve = (program('berth-fcgi'), '--root', "$dir/store", '--workers', '1', '--listen', "$dir/sock");
my $round = 0;

sub begin
{
	my (@cmd) = @_;

	local @SIG{qw(HUP USR1 USR2)} = ('IGNORE') x 3;       # until the program says otherwise
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDERR, '>', "$dir/log" or POSIX::_exit(127);
		{ no warnings; exec { $cmd[0] } @cmd }
		POSIX::_exit(127);
	}
	return $pid;
}

sub said { my ($event) = @_; return -e "$dir/log" ? scalar(() = slurp("$dir/log") =~ /"event":"$event"/g) : 0 }
sub answers { return eval { Berth::FCGI->new("$dir/sock")->request(timeout => 60)->body } // 'nothing' }

sub ends
{
	my ($pid, $master) = @_;

	kill TERM => $master;
	waitpid $pid, 0;
	return $?;
}

# --- what a start does, once the signals are held: each call of the system, by its name, from which to which

# Where libraries lie decides how many calls it takes to load them.
my @strace = (qw(setarch -R strace -qq -o), "$dir/trace");
my $pid = begin(@strace, @serve);
ok wait_for(sub { -s "$dir/trace" && slurp("$dir/log") =~ /"event":"ready"/ }), 'it starts';
my ($master) = Berth::Server::children($pid);
is ends($pid, $master), 0, 'and ends';
my ($before, $start) = slurp("$dir/trace") =~ /\A(.*?\n(?:rt_sigprocmask\(SIG_BLOCK, \[HUP USR1 USR2\]|fcntl\(0,)[^\n]*\n)(.*?"event":"ready"|.*)/s;
like +(split /\n/, $before)[-1], qr/^rt_sigprocmask/, 'the first thing that it does is to hold signals';
my (%from, %to);
$from{$_}++ for $before =~ /^(\w+)\(/mg;
$to{$_}++ for $start =~ /^(\w+)\(/mg;
cmp_ok scalar(keys %to), '>', 10, 'a start makes many system calls';

for my $signal (qw(HUP USR1 USR2)) {
	my @inject = map {
		my ($first, $last) = (($from{$_} // 0) + 1, ($from{$_} // 0) + $to{$_});
		('-e', "inject=$_:signal=$signal:when=$first..$last");
	} sort keys %to;

	unlink "$dir/log";
	$pid = begin(@strace, @inject, @serve);
	ok wait_for(sub { said('ready') || waitpid($pid, POSIX::WNOHANG()) }), "SIG$signal at each call of the system";
	($master) = Berth::Server::children($pid);
	ok $master, "the master lives";
	is answers(), '{}', 'and its workers serve';
	unlike slurp("$dir/trace"), qr/^--- SIG$signal/m, 'it is not interrupted';
	ok wait_for(sub { said({ HUP => 'reload', USR1 => 'collecting', USR2 => 'signal' }->{$signal}) }), 'and hears of it when it listens';
	is ends($pid, $master), 0, 'it ends as ever';
}
like slurp("$dir/log"), qr/"level":"warn","event":"signal".*SIGUSR2 does nothing.*restart.*berth-fcgi\(8\)/, 'the line about SIGUSR2 says what to do';

# --- as docker/start begins it: signals are ignored until it takes care of them

for my $try (1 .. 10) {
	unlink "$dir/log";
	$pid = begin(@serve);
	wait_for { kill HUP => $pid; kill USR2 => $pid; said('ready') || waitpid($pid, POSIX::WNOHANG()) };
	my $lines = said('reload');
	kill HUP => $pid;
	ok wait_for(sub { said('reload') > $lines }), "start $try, among signals from its beginning on: it hears of the last one";
	is answers(), '{}', 'its workers serve';
	is ends($pid, $pid), 0, 'it ends as ever';
}
done_testing;
