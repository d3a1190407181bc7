#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The relay is killed with -9 at the system calls of a delivery, of its own start, of a replay and of a dead letter. The next relay delivers all that the
# journal has, none out of its order, each event under the id that it had.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Deliveries;

plain_build_only('it traces system calls');

my @served = map { Berth::Deliveries->start } qw(delivery beginning replay refusal);

# worth_a_death - not worth one are calls that nobody else can see anything of, and most of those before the relay comes to its store
sub worth_a_death
{
	my ($call, $n, $store) = @_;

	return 1 if $ENV{BERTH_TEST_ALL};
	return $n % 60 == 0 if $n < $store;
	return $call !~ /^(?:mmap|munmap|brk|futex|rt_|fcntl|getrandom|getsock|getpeer|setsock|poll|epoll_ctl|newfstatat)/ || $n % 5 == 0;
}

# kills - of one piece of work: how many there were, at how many calls, and what is wrong
sub kills
{
	my ($d, $w) = @_;
	my ($how, @calls) = $w->{do}->('count');
	my @bad = $how eq 'done' ? $d->recover || () : "undisturbed it is $how";
	my ($store) = grep { $calls[$_] =~ m{^openat:\Q@{[ $d->root ]}\E\z} } 0 .. $#calls;
	my $kills = 0;

	# each time that a letter is refused takes seconds
	my $dead = $w->{name} eq 'refusal' && !is_long() ? qr{readers/one\.dead} : qr{};
	# what fails may take minutes each time
	for my $n (grep { worth_a_death($calls[$_ - 1], $_, $store // 0) && $calls[$_ - 1] =~ $dead } 1 .. @calls) {
		my ($name) = $calls[$n - 1] =~ /^(\w+)/;
		last if @bad;
		my ($end, @made) = $w->{do}->("kill $n $name");
		$kills++ if $end eq 'killed';
		my $fault = $end =~ /^(?:killed|done)$/ ? $d->recover : $end;
		push @bad, "killed at call $n, " . ($made[-1] // '') . ": $fault" if $fault ne '';
	}
	push @bad, $d->fault || ();
	return { n => $kills, calls => scalar @calls, bad => \@bad };
}

my $sum = Berth::Deliveries::disturbed_ok('the relay is killed %d times, at %d calls: all arrives, in its order, with the ids that it had', \&kills, @served);
cmp_ok $sum, '>', 120, "a relay was killed $sum times";
done_testing;
