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

# asked - how many of them one call of the code makes when everything is warm: of some calls the one that made the fewest, since what a
# master does every two seconds adds to some of them. Looking costs some, too: as many as it mostly does.
sub asked
{
	my ($calls, $code) = @_;
	my ($least, $n, @looking) = (undef, 0);

	$code->($n++) for 1 .. $calls;
	for (1 .. $calls) {
		my $begin = counted();
		my $looked = counted();
		$code->($n++);
		my $is = counted() - $looked;
		push @looking, $looked - $begin;
		$least = $is if !defined $least || $is < $least;
	}
	@looking = sort { $a <=> $b } @looking;
	return $least - $looking[@looking / 2];
}

# by_post - an image of three layers, as it is pushed with a request for each blob
sub by_post
{
	my ($tag) = @_;
	my @parts = map { "part $_ of $tag" } 1 .. 4;

	for my $bytes (@parts) {
		my $r = $servers[0]->req(POST => '/v2/to/and/fro/blobs/uploads/?digest=' . sha256($bytes), body => $bytes);
		die $r->as_string if $r->status != 201;
	}
	my ($json, $type) = $servers[0]->image_manifest(config => shift @parts, layers => \@parts);
	my $r = $servers[0]->push_manifest('to/and/fro', $tag, $json, $type);
	die $r->as_string if $r->status != 201;
	return;
}

my $digest = $servers[0]->req(GET => '/v2/to/and/fro/manifests/v1')->header('Docker-Content-Digest');
my %asked = (
	'a manifest by its tag' => [8, asked(12, sub { $servers[0]->req(GET => '/v2/to/and/fro/manifests/v1') })],
	'a manifest by its digest' => [3, asked(12, sub { $servers[0]->req(GET => "/v2/to/and/fro/manifests/$digest") })],
	'a blob' => [6, asked(12, sub { $servers[0]->req(GET => '/v2/to/and/fro/blobs/' . sha256('a common layer')) })],
	'an image of 3 layers' => [775, asked(2, sub { my ($i) = @_; by_post("new$i") })],
);
cmp_ok $asked{$_}[1], '<=', $asked{$_}[0], "requests to the file system for $_" for sort keys %asked;
diag(join ', ', map { "$_: $asked{$_}[1]" } sort keys %asked);

crowd_on_all(20);
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
