#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Three machines on one MooseFS: clients push, tag, delete and read on two of them, and the third does nothing but collect, again and again, with a grace
# period of a second. What was acknowledged stays. BERTH_STRESS=N makes it last N seconds.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Together;

skip_long('it goes on for minutes');
together('moosefs', machines => 3, programs => [qw(mfsmaster mfschunkserver mfsmount)]);
beside_a_collector($ENV{BERTH_STRESS} || 240);
together_end;
