#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A quiet registry that reloads: a worker that goes takes no wake-up along that another one would have answered. Only a
# single client can see this, since the next connection wakes the next worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;

my @servers = map { Berth::Server->start(workers => 4) } 1 .. 3;
my @result = run_parallel(scalar @servers, sub {
	my $s = $servers[$_[0]];
	my ($n, $lost) = (0, 0);
	for (1 .. 25) {
		$s->reload;
		my $end = time + 0.4;
		do {
			my $r = eval { $s->req(GET => '/v2/') };
			$n++;
			$lost++ if !$r || $r->status != 200;
		} while (time < $end);
	}
	return "$n $lost";
});
my ($n, $lost) = (0, 0);
for (@result) {
	die $_->{died} if ref;
	my @one = split;
	$n += $one[0];
	$lost += $one[1];
}
cmp_ok $n, '>=', 75, "$n requests are made while the registry is told to reload 75 times";
is $lost, 0, 'each of them is answered';

done_testing;
