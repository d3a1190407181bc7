#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# On a network file system any look at the store may say that what it looked at is stale, because another machine has replaced or
# removed it. berth looks again, and no client sees anything of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Test;

subtest stale => sub { stale_in(@ARGV ? @ARGV : ('reads', 'deletes', 'uploads', 'pushes')) };
# Its client sends a request again where the connection has ended before the answer came. What has been done is not done again, and is told so.
subtest twice => sub { twice_in(@ARGV ? @ARGV : ('deletes', 'uploads', 'pushes')) };
done_testing;
