#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6050, with fsync = "image" on a file system that keeps no order: a blob's name may be lost until a manifest that
# names it was acknowledged.
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

my ($disk) = disks('ext4-bare');
all_ok(Berth::Scenarios->record(promise => 'image', sample => 8, root => "$disk/store"), without => [qw(manifests images others)], needless => [
	# as in t/6050
	map { "docker/registry/v2/repositories/NAME/$_" } '_layers/ALG/HEX', '_manifests/revisions/ALG/HEX', '_manifests/tags/TAG',
]);
done_testing;
