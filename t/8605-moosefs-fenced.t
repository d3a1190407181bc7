#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6110, on MooseFS with a whole machine: its workers stand before the step that moves, makes or removes a tag, and then all of the machine is paused
# for longer than its session lasts. The other machine is acknowledged meanwhile. When the first comes back it undoes nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Fence;
use Berth::Machines;

plain_build_only('it traces system calls');
skip_long('it waits until MooseFS gives up a machine');
my $m = Berth::Machines->start('moosefs', machines => 2, config => "delete = true;\n", programs => [qw(mfsmaster mfschunkserver mfsmount)]);
my ($first, $second) = $m->servers;
my @kinds = qw(moves new removed);
my %text = map { my $k = $_; $k => { map { $_ => "$_ of $k" } qw(before mine other) } } @kinds;
my %manifest;

for my $kind (@kinds) {
	$first->push_blob("team/$kind", $_) for values %{ $text{$kind} }, '{}';
	$manifest{$kind}{$_} = manifest_of($text{$kind}{$_}) for keys %{ $text{$kind} };
	next if $kind eq 'new';
	is $first->push_manifest("team/$kind", 'tag', $manifest{$kind}{before}, OCI_MANIFEST)->status, 201, "a tag that is $kind";
}

# What the second machine is asked, each in a process of its own.
my %asked;
sub ask_second
{
	my ($kind) = @_;

	pipe my $out, my $in or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		my $r = eval {
			$kind eq 'removed' ? $second->req(DELETE => "/v2/team/$kind/manifests/tag", timeout => 600) :
				$second->req(PUT => "/v2/team/$kind/manifests/tag", body => $manifest{$kind}{mine}, headers => ['Content-Type' => OCI_MANIFEST], timeout => 600);
		};
		syswrite $in, $r ? $r->status : 'none';
		POSIX::_exit(0);
	}
	$asked{$kind} = { pid => $pid, out => $out };
	return;
}

my @workers = $m->workers_of(2);
my @tools = hold_each('renameat~current/link|_manifests/tags/tag|step/', @workers);
ask_second($_) for @kinds;
my @at = eval { held(scalar(@kinds), @tools) };
diag(join "\n", map { substr $_->{said} // 'waits', 0, 3000 } @tools) if @at != @kinds;
is scalar(@at), scalar(@kinds), "workers stand before their steps: @at";
$m->pause(2);
for my $kind (@kinds) {
	my $there = wait_for { eval { $first->push_manifest("team/$kind", 'tag', $manifest{$kind}{other}, OCI_MANIFEST)->status == 201 } };
	$there ||= wait_for { eval { $first->push_manifest("team/$kind", 'tag', $manifest{$kind}{other}, OCI_MANIFEST)->status == 201 } };
	ok $there, "$kind: the other machine goes on, and is acknowledged";
}
$m->resume(2);
let_go(@tools);
ok +(wait_for { @kinds <= grep { ($_->{event} // '') eq 'lock_lost' } $m->log_events(2) }), 'the workers of the machine that comes back find that their locks are lost';
for my $kind (@kinds) {
	my $status = readline $asked{$kind}{out};
	waitpid $asked{$kind}{pid}, 0;
	unlike $status, qr/^2/, "$kind: who asked the machine that was paused was not told that it was done, but $status";
	for my $s ($first, $second) {
		my $r = wait_for { my $r = eval { $s->req(GET => "/v2/team/$kind/manifests/tag") }; $r && $r->status < 500 ? $r : undef };
		is sha256($r->body), sha256($manifest{$kind}{other}), "$kind: what the other machine acknowledged stands";
	}
}
my $r = $m->run_in(1, program('berth'), '--config', $m->{config}, '--root', $m->root, 'fsck', '--data');
is $r->{status}, 0, 'fsck --data finds the store whole' or diag $r->{out}, $r->{err};
undef @tools;
$m->stop;
is $m->{status}, 0, 'all of it ends in order';
done_testing;
