#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6052 and t/6054, with the journal on: whatever a power cut leaves, the journal tells of each manifest and tag that is there.
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

my ($bare, $disk) = disks('ext4-bare', 'ext4');
for (['flushed one by one', $bare], ['flushed in order', $disk, model => 'Berth::Journal']) {
	my ($title, $dir, @o) = @$_;
	my $r = Berth::Scenarios->record(promise => 'image', journal => 1, sample => 8, groups => [qw(manifests deletes)], root => "$dir/store", @o);

	$r->load;
	is $r->replay($_), undef, "$title, $_->{name}: the journal tells of all that is left" for $r->scenarios;
}
done_testing;
