#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each system call of a handover fails once in the ways that are plausible for it: the relay gets a clear error, what was acknowledged is served, and the next try
# succeeds. The same where a client asks for something that the store has, and that is linked then.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Handovers;
use Berth::Inject;
use Berth::Operations;

faults_in({ config => Berth::Handovers::CONFIG, at => 'relay', end => sub {
	my $i = Berth::Inject->start(config => Berth::Handovers::CONFIG);
	faults_ok($i, $_) for operations($i, 'links');
} }, 'handovers');
