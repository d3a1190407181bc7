#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6057, for the power of one machine of several: the others go on, in the same epoch, and see each name that it has given. What has a name is whole,
# what was acknowledged is there, and an index names all that is there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::GC ();
use Berth::OneOfMany;
use Berth::Scenarios;
use Berth::Survivor;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

# Names are at the servers as soon as they are given, so flushes of directories do not show here: t/6057 has them.
my $r = Berth::Scenarios->record(model => 'Berth::OneOfMany', promise => 'full', fsync => 'image', indexes => 1, sample => 8, survivor => 1, root => Berth::GC::quick_dir() . '/store',
	groups => [qw(uploads manifests deletes deaths)]);
all_ok($r, only => qr{/(?:data|link|body/\S+)\z}, needless => [
	# content that others left, as in t/6050; and what has been flushed as a body already, since nginx wrote it
	'docker/registry/v2/blobs/ALG/TWO/HEX/data', 'docker/registry/v2/repositories/NAME/_uploads/UUID/data',
]);
goes_on_ok($r);
done_testing;
