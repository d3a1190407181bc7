# SPDX-License-Identifier: Apache-2.0
#
# Berth::Load: processes that push until they are told to stop, and what they were told is done.
#
#   my $load = Berth::Load->new(dir => $s->dir, pushers => 3, push => sub {
#           my ($load, $who, $round, $n) = @_;      one turn, the number $n of this pusher in this round; it may die
#           ...
#           $load->said('push', "$repo:$tag");      was acknowledged
#   });
#   $load->begin($round);                           returns when some more is acknowledged
#   ... kill something ...
#   $load->end;
#   my @lines = $load->acknowledged;
package Berth::Load;

use strict;
use warnings;

use POSIX ();
use Time::HiRes ();

use Berth::Test;

sub new
{
	my ($class, %o) = @_;

	return bless { more => 3, %o, notes => "$o{dir}/acknowledged", of => $$ }, $class;
}

# begin - start the pushers, and wait until `more` lines are acknowledged beyond those that were before
sub begin
{
	my ($self, $round) = @_;
	my $more = $self->acknowledged + $self->{more};

	for my $who (1 .. $self->{pushers}) {
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			$SIG{$_} = 'DEFAULT' for qw(TERM INT);
			$self->work($who, $round);
			POSIX::_exit(0);
		}
		push @{ $self->{pids} }, $pid;
	}
	wait_for { $self->acknowledged >= $more } or die "nothing is pushed\n";
	return;
}

# In the pusher: it does not live longer than the test, however that ends. A failure is no reason to stop.
sub work
{
	my ($self, $who, $round) = @_;

	open $self->{fh}, '>>', "$self->{notes}.$who" or die;
	for (my $n = 0; getppid == $self->{of}; $n++) {
		eval { $self->{push}->($self, $who, $round, $n); 1 } or Time::HiRes::sleep(0.02);
	}
	return;
}

# said - note what was acknowledged, at once: the process may be told to stop at any moment. The end of a line shows that it is whole, and half of one may
# stand before it.
sub said { my ($self, @what) = @_; syswrite $self->{fh}, "\n@what .\n"; return }

sub end
{
	my ($self) = @_;
	my @pids = @{ delete $self->{pids} // [] };

	kill TERM => @pids;
	waitpid $_, 0 for @pids;
	return;
}

# acknowledged - the lines, those of each pusher in their order
sub acknowledged { my ($self) = @_; return map { slurp($_) =~ /^(.+) \.$/mg } glob "$self->{notes}.*" }

1;
