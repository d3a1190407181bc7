#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Where a network file system goes on saying that a name is stale, nobody knows what is there. The client is told to come again, and nobody
# takes it for gone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;

lasting_in(@ARGV ? @ARGV : ('reads', 'deletes', 'uploads', 'pushes'));
