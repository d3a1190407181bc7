#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The worker is killed with -9 at the system calls of an upload that a quota counts: the next one who counts settles what it finds, and the
# table says what the links say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Quota;

kills_in(quota_probed(), @ARGV ? @ARGV : ('uploads'));
