#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/8600, with two machines and with three, of which one dies, loses its client of the file system, or only falls silent: all of it is paused until
# the others go on, or its network is cut. Then it comes back, and harms nothing. Its network is also cut for a little longer than the client of the
# file system waits for an answer. It then sends again what may have been carried out. BERTH_MACHINES=3 is for three alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Together;

skip_long('it waits until MooseFS gives up machines');
my $m;
my %of;         # what happens to the second machine

# lost - how often the second machine's client has given up its connection
sub lost { my @all = $m->log_of('client2') =~ /tcp recv error/g; return scalar @all }

my @happens = (
	['a death', sub {
		dies(sub { $m->kill_machine(2) });
		push @{ $of{machine} }, went_on;
		comes_back;
	}],
	['a client that dies', sub {
		dies(sub { $m->kill_client(2) });
		push @{ $of{client} }, went_on;
		comes_back;
	}],
	['a pause', sub {
		$m->pause(2);
		push @{ $of{pause} }, went_on;
		$m->resume(2);
		ok serves_again(), 'a machine that was paused goes on';
	}],
	['a cut network', sub {
		$m->cut(2);
		push @{ $of{cut} }, went_on;
		$m->join(2);
		ok serves_again(), 'a machine that was cut off goes on';
	}],
	['short cuts', sub {
		for (1 .. 4) {
			my $before = lost();
			$m->cut(2);
			ok +(wait_for { lost() > $before }), 'the client of the file system gives up its connection';
			$m->join(2);
			ok serves_again(), 'a machine that was cut off for a moment goes on';
			sleep 5;
		}
	}],
);

for my $count (split / /, $ENV{BERTH_MACHINES} // '2 3') {
	$m = together('moosefs', machines => $count, programs => [qw(mfsmaster mfschunkserver mfsmount)]);
	pushes_and_pulls;
	crowd_on_all(5);
	for my $h (@happens) {
		my ($what, $code) = @$h;
		death_of("$count machines, $what", 120, sub { sleep 6; $code->() });
	}
	together_stop;
}
diag("the others went on in all repositories after: " . join ', ', map { "$_ @{ $of{$_} }" } sort keys %of);
done_testing;
