#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/8600, with three machines, of which one dies or only falls silent: all of it is paused until the others go on, or its network is cut. Then it
# comes back, and harms nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Together;

skip_long('it waits until MooseFS gives up machines');
my $m = together('moosefs', machines => 3, programs => [qw(mfsmaster mfschunkserver mfsmount)]);
my (undef, $second) = $m->servers;
pushes_and_pulls;
crowd_on_all(5);

sub is_back { return wait_for { my $r = eval { $second->req(GET => '/v2/to/and/fro/manifests/v1') }; $r && $r->status == 200 } }

my @seconds;
death_of('a death', 130, sub {
	sleep 6;
	dies(sub { $m->kill_machine(2) });
	push @seconds, went_on;
	comes_back;
});
death_of('a pause', 130, sub {
	sleep 6;
	$m->pause(2);
	push @seconds, went_on;
	$m->resume(2);
	ok is_back(), 'a machine that was paused goes on';
});
death_of('a cut network', 130, sub {
	sleep 6;
	$m->cut(2);
	push @seconds, went_on;
	$m->join(2);
	ok is_back(), 'a machine that was cut off goes on';
});
diag("the others went on in all repositories after @seconds s");
together_end;
