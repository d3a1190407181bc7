#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The worker is killed with -9 at each system call of each operation: nothing that was acknowledged is lost, no name points to
# nothing, and what was begun succeeds when it is done again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Disturb;
use Berth::Inject;
use Berth::Operations;

plain_build_only('it kills workers where they make a system call');
my $i = Berth::Inject->start;
for my $group (@ARGV ? @ARGV : qw(reads uploads pushes deletes)) {
	kills_ok($i, $_) for operations($i, $group);
}
cmp_ok $i->{injections}, '>', 100, "$i->{injections} deaths";

done_testing;
