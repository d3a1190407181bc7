#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The worker is killed with -9 at the system calls of an operation, with the journal on: besides all that t/6046 requires, the journal tells
# everything that became of the store, in its order, and nothing else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Events;
use Berth::Test;

kills_in({ config => "journal = { enabled = true; };\n", end => sub {
	my ($i) = @_;
	is journal_fault($i->server), '', 'the journal tells what the store has become';
	ok !grep({ $_->{action} eq 'lost' } events($i->server)), 'and nothing of it was lost';
} }, @ARGV ? @ARGV : ('pushes', 'deletes'));
