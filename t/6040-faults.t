#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each system call of an operation fails once in the ways that are plausible for it (t/lib/Berth/Disturb.pm says which are left
# out, and why): the client gets a clear error, nothing that was acknowledged is lost, nothing stays behind, and the same
# request succeeds afterwards. Here: reading, deleting, and the first use of an index after a start.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;

faults_in(@ARGV ? @ARGV : ('reads', 'deletes'));
