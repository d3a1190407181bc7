#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The same as t/6063 with pushes and deletes of manifests.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Disturb;
use Berth::Quota;

kills_in(quota_probed(), @ARGV ? @ARGV : ('pushes', 'deletes'));
