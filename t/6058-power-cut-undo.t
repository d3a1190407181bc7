#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6052 and t/6054, with undo: whatever a power cut leaves, each tag has the time of a push, and what is there no more is remembered; an index that
# comes back does so after what it names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Disk;
use Berth::Scenarios;

plain_build_only('it traces system calls');
need_program('strace');

my ($bare, $disk) = disks('ext4-bare', 'ext4');
for (['flushed one by one', $bare], ['flushed in order', $disk, model => 'Berth::Journal']) {
	my ($title, $dir, @o) = @$_;
	my $r = Berth::Scenarios->record(promise => 'image', undo => 1, sample => 8, groups => [qw(manifests deletes restores)], root => "$dir/store", @o);

	$r->load;
	is $r->replay($_), undef, "$title, $_->{name}: what is gone is remembered" for $r->scenarios;
	next if @o;
	my $sorts = $r->without_each_flush(2, [qw(manifests deletes)], qr{\Aberth/undo});
	my @sorts = sort keys %$sorts;
	is "@sorts", 'berth berth/undo berth/undo/NAME berth/undo/NAME/_marks' =~ s/^berth //r, 'the directories of marks are flushed, from the lowest up';
	ok @{ $sorts->{$_}{idle} } < $sorts->{$_}{all}, "leaving out a flush of $_ shows" for @sorts;
}
done_testing;
