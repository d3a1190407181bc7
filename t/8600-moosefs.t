#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Three machines on one MooseFS, all with clients of their own on the same few images: every answer could have been given one after the
# other. Then one machine dies with its client of the file system, and on another one that client alone: the third goes on, nothing that was
# acknowledged is lost, and both come back. t/8604 has it with two machines, and with more ways to die.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Together;

my $m = together('moosefs', machines => 3, programs => [qw(mfsmaster mfschunkserver mfsmount)]);
my @servers = $m->servers;
pushes_and_pulls;
removes_and_renames;

# counted - the requests to MooseFS's master and chunk servers until now, as its client counts them; without FLUSH and RELEASE, for which
# nobody waits
sub counted
{
	my $text = $m->run_in(1, 'cat', $m->volume . '/.stats')->{out};
	my %of = $text =~ /^fuse_ops\.([a-z]+): (\d+)$/mg;
	my $sum = 0;

	$sum += $of{$_} for grep { !/^(?:flush|release|releasedir|statfs)$/ } keys %of;
	return $sum;
}

my %asked = requests_of(\&counted);
my %most = ('a manifest by its tag' => 8, 'a manifest by its digest' => 3, 'a blob' => 6, 'an image of 3 layers' => 720);
cmp_ok $asked{$_}, '<=', $most{$_}, "requests to the file system for $_" for sort keys %most;

crowd_on_all(20);
beside_a_collector(12);

my $seconds;
death_of('deaths', 105, sub {
	sleep 6;
	dies(sub { $m->kill_machine(2) });
	dies(sub { $m->kill_client(3) }, 3);
	wait_for { my $r = eval { $servers[2]->req(GET => '/v2/to/and/fro/manifests/v1') }; $r && $r->status != 200 };
	my $r = $servers[2]->req(GET => '/v2/to/and/fro/manifests/v1');
	is $r->status, 503, 'one whose client of the file system has died says that it is unavailable';
	ok defined $r->header('Retry-After'), 'and that it is worth another try';
	my $monitor = Berth::Machines::One->new($servers[2]{address}, 5001);
	is $monitor->req(GET => '/readyz')->status, 503, 'so does its /readyz, for a balancer that asks';
	$seconds = went_on;
	comes_back($_) for 2, 3;
}, 2, 3);
diag("the one that lived went on in all repositories after $seconds s");
together_end;
