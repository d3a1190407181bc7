#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Evictions beside clients that push, mount, find and pull the same blobs: what was acknowledged to a repository of one's own is there, and a mirror serves right bytes or none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Inject ();
use Berth::Repo;

Berth::Inject::cheap_place();
my $slowly = have_program('strace') && !$ENV{BERTH_SANITIZERS};
my $rounds = is_long() ? 3000 : 150;
my $s = Berth::Server->start(args => ['--no-relay'], workers => 4, config => <<'CONF');
delete = true;
fsync = "off";
upstreams = ( { name = "up"; urls = [ "http://127.0.0.1:1" ]; } );
cache = { idle = "24h"; };
CONF
# The master's own evictions would be in the way: the next one comes after an hour.
$s->at_rest;
my @post = (headers => ['Content-Length' => 0]);

# Each gives the status of what it did to own/NAME, and whether that promises that the blob is there.
my %way = (
	push => sub { my ($to, $d, $bytes) = @_; my $r = $s->req(POST => "/v2/$to/blobs/uploads/?digest=$d", body => $bytes); return ($r->status, $r->status == 201) },
	mount => sub { my ($to, $d, $bytes, $from) = @_; my $r = $s->req(POST => "/v2/$to/blobs/uploads/?mount=$d&from=$from", @post); return ($r->status, $r->status == 201) },
	'mount from anywhere' => sub { my ($to, $d) = @_; my $r = $s->req(POST => "/v2/$to/blobs/uploads/?mount=$d", @post); return ($r->status, $r->status == 201) },
	'push by parts' => sub {
		my ($to, $d, $bytes) = @_;
		my $at = path_of($s->req(POST => "/v2/$to/blobs/uploads/", @post)->header('Location'));
		$s->req(PATCH => $at, body => $bytes);
		my $r = $s->req(PUT => "$at?digest=$d", @post);
		return ($r->status, $r->status == 201);
	},
	# a second mirror, whose manifest names it
	adopt => sub { my ($to, $d) = @_; my $r = $s->req(GET => "/v2/up/other/blobs/$d", may_close => 1); return ($r->status, 0) },
);
# all but those of an image that is pulled all the time: where nobody pulls anything, the clock may be wrong
sub old_links
{
	my $dir = data_dir($s) . '/repositories/up';
	utime time - 48 * 3600, time - 48 * 3600, map { "$dir/$_" } grep { m{/link\z} && !m{\Afresh/} } files_below($dir);
	utime undef, undef, map { "$dir/$_" } grep { m{\Afresh/.*/link\z} } files_below($dir);
	return;
}
hand_image($s, 'up/fresh', 'new', '{"fresh":1}', random_bytes(100));

my @ways = sort keys %way;
my (%n, @bad, @acknowledged);
for my $round (1 .. $rounds) {
	my ($config, $layer) = ("{\"round\":$round}", random_bytes(2000));
	my $d = sha256($layer);
	my $i = hand_image($s, 'up/app', 'new', $config, $layer);
	pulled_before($s, 'up/app', $i, 48 * 3600);
	my $how = $ways[$round % @ways];
	hand_over($s, PUT => "manifest?repo=up/other&ref=$i->{digest}", body => $i->{json}, type => $i->{type}) if $how eq 'adopt';
	my $pause = $round % 14 / ($round % 2 ? 200 : 1000);
	my @got = run_parallel(2, sub {
		my ($who) = @_;
		if ($who) {
			sleep $pause;
			my ($status, $promises) = $way{$how}->("own/app$round", $d, $layer, 'up/app');
			return { status => $status, promises => $promises };
		}
		# where renames are slow, writers get in between the batches
		my @slow = $slowly && $round % 2 ? ('strace', '-f', '-o', '/dev/null', '-e', 'trace=renameat', '-e', 'inject=renameat:delay_enter=8000') : ();
		my $r = run(@slow, berth_cmd($s, 'gc', '--cache', '--json'));
		return $r->{status} ? { fault => "gc: $r->{status} $r->{err}" } : {};
	});
	my ($g) = grep { ref $_ && exists $_->{status} } @got;
	push @bad, map { $_->{died} // $_->{fault} // () } @got;
	my $there = -e blob_file($s, $d) ? 'stays' : 'goes';
	$n{ $g->{promises} || $g->{status} == 200 ? "$how done, it $there" : "$how not done" }++ if $g;
	push @bad, "$round: the second mirror's link has no content" if $how eq 'adopt' && $there eq 'goes' && -e layer_link($s, 'up/other', $d);
	push @acknowledged, [$how, "own/app$round", $d] if $g && $g->{promises};
	# what was acknowledged outlives another eviction: a mount refreshes the mirror's link, too, which then has to be old again
	if ($g && $g->{promises}) {
		old_links();
		berth($s, 'gc', '--cache');
		my $r = $s->req(GET => "/v2/own/app$round/blobs/$d");
		push @bad, "$round: $how was acknowledged, then " . $r->status if $r->status != 200 || $r->body ne $layer;
	}
}
is join("\n", @bad), '', "$rounds rounds: nothing that was acknowledged is missing";
old_links();
is berth($s, 'gc', '--cache')->{status}, 0, 'a last eviction';
is join("\n", grep { $_ ne '' } map { my ($how, $repo, $d) = @$_; my $r = $s->req(GET => "/v2/$repo/blobs/$d"); $r->status == 200 && sha256($r->body) eq $d ? '' : "$how to $repo: " . $r->status } @acknowledged), '',
	'nor after it';
diag join ', ', map { "$_: $n{$_}" } sort keys %n;
is cached_fault($s), '', 'all that is stored is what its name says';
my $r = berth($s, 'fsck');
is $r->{status}, 0, 'fsck finds nothing wrong' or diag "$r->{out}$r->{err}";
cmp_ok scalar(grep { /done, it stays/ } keys %n), '>', 2, 'each way got there in time at least once';
done_testing;
