# SPDX-License-Identifier: Apache-2.0
package Berth::Bench::Instructions;
use strict;
use warnings;
1;
