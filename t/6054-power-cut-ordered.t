#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6052, on a file system that keeps the order of changes: names are flushed by one barrier at the end of a manifest's
# push.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Disk;
use Berth::Scenarios;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

my ($disk) = disks('ext4');
my $r = Berth::Scenarios->record(promise => 'image', model => 'Berth::Journal', root => "$disk/store");
ok $r->{shared}, 'a manifest made its last change while the barrier of another one was under way';
all_ok($r);
done_testing;
