#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each system call of an operation fails once, with the journal on: what t/6044 requires, and the journal tells everything that became of the store.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Events;
use Berth::Test;

faults_in({ config => "journal = { enabled = true; };\n", end => sub {
	my ($i) = @_;
	# a disk that was said to be full has cost the oldest events
	is journal_fault($i->server, cut => 1), '', 'the journal tells what the store has become';
	cmp_ok scalar(events($i->server)), '>', 100, 'and there is much of it';
} }, @ARGV ? @ARGV : ('pushes', 'deletes'));
