#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The worker is killed with -9 at the system calls of an operation: nothing that was acknowledged is lost, no name points to
# nothing, and what was begun succeeds when it is done again. Here: reading, deleting, and the first use of an index after a start. What a client of nginx is told then is in 6002.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;

kills_in(@ARGV ? @ARGV : ('reads', 'deletes'));
