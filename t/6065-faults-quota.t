#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each system call of a delete, or of what else is named, that a quota counts fails in turn: besides a clear answer, the table says what the links say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Quota;

faults_in(quota_probed(), @ARGV ? @ARGV : ('deletes'));
