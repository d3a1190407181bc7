#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two machines on one MooseFS, both with clients of their own on the same few images: every answer could have been given one after the
# other. Then one machine dies with its client of the file system, and comes back, and then that client alone: the other goes on, and
# nothing that was acknowledged is lost.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Together;

my $m = together('moosefs', programs => [qw(mfsmaster mfschunkserver mfsmount)]);
my @servers = $m->servers;
pushes_and_pulls;

# asked - how many requests one call of the code makes to MooseFS's master and chunk servers, as its client counts them; without FLUSH and
# RELEASE, for which nobody waits
sub asked
{
	my ($code) = @_;
	my $count = sub {
		my $text = $m->run_in(1, 'cat', $m->volume . '/.stats')->{out};
		my %of = $text =~ /^fuse_ops\.([a-z]+): (\d+)$/mg;
		my $sum = 0;
		$sum += $of{$_} for grep { !/^(?:flush|release|releasedir|statfs)$/ } keys %of;
		return $sum;
	};
	my $n = 5;

	$code->($_) for -1, 0;
	my $before = $count->();
	$code->($_) for 1 .. $n;
	return ($count->() - $before) / $n;
}

my %asked = (
	pull => asked(sub { $servers[0]->req(GET => '/v2/to/and/fro/manifests/v1') }),
	blob => asked(sub { $servers[0]->req(GET => '/v2/to/and/fro/blobs/' . sha256('a common layer')) }),
	push => asked(sub { my ($i) = @_; $servers[0]->push_image('to/and/fro', "new$i", layers => [map { "layer $_ of $i" } 1 .. 3]) }),
);
diag(join ', ', map { "$_: $asked{$_} requests to the file system" } sort keys %asked);
cmp_ok $asked{pull}, '<=', 28, 'a manifest by its tag costs no more requests to the file system than doc/MACHINES.md says';
cmp_ok $asked{blob}, '<=', 28, 'nor does a blob';
cmp_ok $asked{push}, '<=', 1400, 'nor does an image of 3 layers, but for what a beat adds while this takes longer';

crowd_on_both(20);
beside_a_collector(12);

my @seconds;
death_of('deaths', 110, sub {
	sleep 6;
	dies(sub { $m->kill_machine(2) });
	push @seconds, went_on;
	comes_back;
	sleep 6;
	dies(sub { $m->kill_client(2) });
	wait_for { my $r = eval { $servers[1]->req(GET => '/v2/to/and/fro/manifests/v1') }; $r && $r->status != 200 };
	my $r = $servers[1]->req(GET => '/v2/to/and/fro/manifests/v1');
	is $r->status, 503, 'one whose client of the file system has died says that it is unavailable';
	ok defined $r->header('Retry-After'), 'and that it is worth another try';
	my $monitor = Berth::Machines::One->new($servers[1]{address}, 5001);
	is $monitor->req(GET => '/readyz')->status, 503, 'so does its /readyz, for a balancer that asks';
	push @seconds, went_on;
	comes_back;
});
diag("the other one went on in all repositories after @seconds s");
together_end;
