#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each system call of each operation fails once in each way that is plausible: the client gets a clear error, nothing that
# was acknowledged is lost, nothing stays behind, and the same request succeeds afterwards.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Disturb;
use Berth::Inject;
use Berth::Operations;

plain_build_only('it traces system calls');
my $i = Berth::Inject->start;
for my $group (@ARGV ? @ARGV : qw(reads uploads pushes deletes)) {
	faults_ok($i, $_) for operations($i, $group);
}
cmp_ok $i->{injections}, '>', 100, "$i->{injections} faults were injected";

done_testing;
