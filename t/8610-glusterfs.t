#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/8600, with three machines on a GlusterFS of three replicas. And a machine that is paused in the middle of pushes, and one whose network is cut,
# come back and harm nothing, while the two others go on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Together;

skip_long('it waits for the deaths of machines on a slow file system');
my $m = together('glusterfs', machines => 3, clients => 2, programs => [qw(glusterd gluster glusterfs setfattr)]);
my @servers = $m->servers;
pushes_and_pulls;
removes_and_renames;

# What the client was asked for, of which each change is three requests, one to each server.
my %asked = requests_of(sub {
	my $file = 'berth-t' . ($$ + rand 1);
	my $r = $m->run_in(1, 'sh', '-c', 'setfattr -n trusted.io-stats-dump -v "$1" "$2" && cat "/run/gluster/$1"* && rm "/run/gluster/$1"*', 'sh', $file, $m->volume);
	my ($text) = $r->{out} =~ /^=== Cumulative stats ===\n(.*?)^=== /ms or die $r->{out} . $r->{err};
	my $sum = 0;
	$sum += $1 while $text =~ /^(?!FLUSH|RELEASE|STATFS)[A-Z]+ +(\d+) /mg;
	return $sum;
});
my %most = ('a manifest by its tag' => 8, 'a manifest by its digest' => 3, 'a blob' => 6, 'an image of 3 layers' => 1735);
cmp_ok $asked{$_}, '>', 0, "$_: requests to the file system are counted" for sort keys %asked;
cmp_ok $asked{$_}, '<=', $most{$_}, "requests to the file system for $_" for sort keys %most;

crowd_on_all(40);
beside_a_collector(60);

my @seconds;
death_of('deaths', 50, sub {
	sleep 6;
	dies(sub { $m->kill_machine(2) });
	push @seconds, went_on;
	comes_back;
	sleep 6;
	dies(sub { $m->kill_client(2) });
	push @seconds, went_on;
	comes_back;
});
death_of('a pause', 40, sub {
	sleep 6;
	$m->pause(2);
	sleep 9;
	$m->resume(2);
	ok serves_again(), 'a machine that was paused goes on';
});
death_of('a cut network', 60, sub {
	sleep 6;
	$m->cut(2);
	push @seconds, went_on;
	$m->join(2);
	ok serves_again(), 'a machine that was cut off goes on';
});
diag("the others went on in all repositories after @seconds s");
together_end;
