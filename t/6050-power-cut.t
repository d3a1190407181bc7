#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut at every moment of every operation, and everything that it may leave on a disk: what was acknowledged is
# there (or, for a delete, gone), and nothing points to nothing. With fsync = "full"; t/6052 and t/6054 are about "image".
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Scenarios;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

my $r = Berth::Scenarios->record(promise => 'full');
all_ok($r, needless => [
	# what is flushed again although berth has it flushed: for links and content that others left, or a repair put there where the
	# file system cannot exchange directories
	map { "docker/registry/v2/$_" } 'blobs/ALG/TWO/HEX/data', map { "repositories/NAME/$_" } '_layers/ALG/HEX', '_manifests/revisions/ALG/HEX', '_manifests/tags/TAG',
]);
my ($all) = grep { $r->{at_start}[$_]{name} eq 'syncfs' } 0 .. $#{ $r->{at_start} };
my ($epoch) = grep { ($r->{at_start}[$_]{paths}[1] // '') eq 'berth/index/_epoch' } 0 .. $#{ $r->{at_start} };
ok defined $all && defined $epoch && $all < $epoch, 'the first to serve flushes all that others left, before a new epoch begins';
done_testing;
