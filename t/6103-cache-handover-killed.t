#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The worker is killed with -9 at the system calls of a handover: of a manifest, of a tag that moves or was confirmed, of a blob. What was acknowledged stays,
# and the relay, which asks another worker once more, succeeds. The same where a client asks for something that the store has, and that is linked then.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Handovers;
use Berth::Inject;
use Berth::Operations;

kills_in({ config => Berth::Handovers::CONFIG, at => 'relay', end => sub {
	my $i = Berth::Inject->start(config => Berth::Handovers::CONFIG);
	kills_ok($i, $_) for operations($i, 'links');
} }, 'handovers');
