#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# System calls of the relay fail, one each time: on its files below berth/journal/readers, on the journal, and on its connections. The relay stays, and
# tries again by itself: all that the journal has arrives, in its order, each event under the id that it had.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Errno ();
use Berth::Test;
use Berth::Deliveries;

plain_build_only('it traces system calls');

my @served = map { Berth::Deliveries->start } qw(delivery beginning replay refusal);
my @write = qw(ENOSPC EIO);
my %may = (
	(map { $_ => \@write } qw(write sync_file_range fsync ftruncate renameat mkdirat unlinkat utimensat)), openat => [qw(EIO ENOSPC EMFILE)],
	(map { $_ => ['EIO'] } qw(read pread64 getdents64)), flock => ['ENOMEM'], inotify_add_watch => ['ENOSPC'], inotify_init1 => ['EMFILE'],
	socket => ['EMFILE'], connect => ['ENETUNREACH'], sendto => ['EPIPE'], recvfrom => ['ECONNRESET'],
);

# faults_of - what a call may fail with: of what it concerns, not of what the process needs to begin with
sub faults_of
{
	my ($call) = @_;
	my ($name, $path) = $call =~ /^(\w+)(?::(.*))?$/ or return ();

	return () if !$may{$name} || ($name =~ /^(?:openat|write|read|pread64|getdents64)$/ && ($path // '') !~ m{berth/journal});
	return @{ $may{$name} };
}

# faults - of one piece of work: how many there were, and what is wrong
sub faults
{
	my ($d, $w) = @_;
	my ($how, @calls) = $w->{do}->('count');
	my @bad = $how eq 'done' ? $d->recover || () : "undisturbed it is $how";
	my ($made, %had) = (0);

	for my $n (1 .. @calls) {
		my $call = $calls[$n - 1];
		my @faults = faults_of($call) or next;
		last if @bad;           # what fails may take minutes each time
		# it is seconds until the relay tries again: so each call on each file fails once, in one way
		next if !$ENV{BERTH_TEST_ALL} && ($had{$call}++ || ($w->{name} eq 'refusal' && $call !~ /\.dead/));
		for my $errno ($ENV{BERTH_TEST_ALL} ? @faults : $faults[$n % @faults]) {
			no strict 'refs';       ## Errno's constants, by name
			my $number = &{"Errno::$errno"}();
			use strict 'refs';
			my ($end, @made) = $w->{do}->("fail $n $number " . $call =~ s/:.*//r);
			my ($here) = grep { s/!$// } @made;
			$made++ if defined $here;
			my $fault = $end eq 'done' ? $d->recover : "the relay ended: $end";
			push @bad, "$errno at call $n, " . ($here // 'none') . ": $fault" if $fault ne '';
		}
	}
	push @bad, $d->fault || ();
	return { n => $made, calls => scalar @calls, bad => \@bad };
}

my $sum = Berth::Deliveries::disturbed_ok('%d faults at %d calls: the relay stays, and all arrives, in its order, with the ids that it had', \&faults, @served);
cmp_ok $sum, '>', 40, "$sum faults were injected";
done_testing;
