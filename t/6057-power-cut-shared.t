#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6050, on a file system that may belong to several machines: another one may go on in the epoch after a power cut. So
# fsync = "image" acts as "full" there, and indexes are flushed as well: one of the present epoch names all that is there, and a summary
# of it says nothing wrong of a tag.
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

my $disk = disk_by_fuse();
all_ok(Berth::Scenarios->record(promise => 'full', fsync => 'image', indexes => 1, sample => 8, root => "$disk/store", groups => [qw(manifests deletes deaths)]), only => qr{\Aberth/index/},
	# a summary that a power cut takes is made again; only a later one has to take the place of one that is there
	needless => ['berth/index/NAME']);
done_testing;
