#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The Debian package, built and installed on Debian 13.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Package;

Berth::Package::check('trixie');
