# SPDX-License-Identifier: Apache-2.0
package Berth::Bench::Growth;
use strict;
use warnings;
1;
