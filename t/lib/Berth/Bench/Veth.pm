# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Veth: a client in a network namespace of its own, joined to ours by a pair of virtual interfaces. Unlike over the
# loopback its packets pass a device, a queue and the other side's softirq. It goes with the process that holds its namespace.
package Berth::Bench::Veth;

use strict;
use warnings;

use Berth::Test;

my $NET = '198.18';             # of RFC 2544, for benchmarks

# missing - why there can be none
sub missing
{
	return 'it takes root' if $> != 0;
	return 'there is no ip, or no nsenter' if !have_program('ip') || !have_program('nsenter');
	return 'there can be no other network namespace here' if run('unshare', '--net', 'true')->{status};
	return;
}

sub command
{
	my $r = run(@_);

	die "@_: $r->{err}" if $r->{status};
	return;
}

sub start
{
	my ($class) = @_;
	my $ours = readlink '/proc/self/ns/net';
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		exec Berth::Server::guard(), qw(unshare --net sleep infinity) or POSIX::_exit(127);
	}
	my $self = bless { pid => $pid, owner => $$, address => "$NET." . ($pid & 255) . '.1', device => "berth$pid" }, $class;
	my $theirs = $self->{address} =~ s/1\z/2/r;
	wait_for { (readlink("/proc/$pid/ns/net") // $ours) ne $ours && slurp("/proc/$pid/comm") eq "sleep\n" } or die "unshare does not start\n";
	command('ip', 'link', 'add', $self->{device}, 'type', 'veth', 'peer', 'name', 'client', 'netns', $pid);
	command('ip', 'address', 'add', "$self->{address}/30", 'dev', $self->{device});
	command('ip', 'link', 'set', $self->{device}, 'up');
	command($self->words, 'ip', 'address', 'add', "$theirs/30", 'dev', 'client');
	command($self->words, 'ip', 'link', 'set', 'client', 'up');
	return $self;
}

# address - ours, as the client reaches it; words - before a command that is to be the client's
sub address { return $_[0]{address} }
sub words { my ($self) = @_; return ('nsenter', '-t', $self->{pid}, '-n') }

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	return if $$ != $self->{owner};
	kill KILL => $pid;
	waitpid $pid, 0;
	return;
}

sub DESTROY { my ($self) = @_; local ($?, $@, $!); return $self->stop }

1;
