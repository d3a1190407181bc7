#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth and registry:2 take turns on one store: nothing that either wrote is lost or comes back, and what berth derives
# from the links follows what the other did while it was stopped.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Content;
use Berth::Other;

need_program('docker-registry');

my $dir = tmp_dir();
my $root = "$dir/store";
mkdir $root;
my $b;
my $other = Berth::Other->new(root => $root);
my $c = Berth::Content->new;
my (@upload, %first);

sub berth { $b = Berth::Server->start(root => $root, config => "delete = true;\n"); return $b }
sub tags { my ($repo, $query) = @_; my $r = $b->req(GET => "/v2/$repo/tags/list?" . ($query // '')); return join ' ', @{ $r->json->{tags} // [] } }

# What each turn does on top of what is there.
sub turn
{
	my ($side, $n) = @_;
	my $last = $n - 1;

	# added: repositories, one in another and one before all others in order; tags, an index, an artifact
	my %new = map { ($_ => $c->image($side, $_, 'v1', type => $n % 2 ? OCI_MANIFEST : DOCKER_MANIFEST)) } "turn$n", "turn$n/below", "a$n/z";
	$first{$n} = $new{"turn$n"};
	my $image = $c->image($side, 'all', "t$n");
	$c->retag($side, 'all', $_, $image) for 'latest', "keep$n", "move$n", "drop$n";
	my $amd = $c->image($side, 'all', undef);
	$c->index($side, 'all', "multi$n", OCI_INDEX, $amd, $image);
	$c->index($side, 'all', 'multi', OCI_INDEX, $image);
	my $sbom = $c->image($side, 'all', undef, subject => $image, artifactType => 'application/x.sbom');
	$c->image($side, 'all', "sig$n", subject => $sbom, artifactType => 'application/x.signature');
	$c->mount($side, "a$n/z", 'all', (sort keys %{ $c->repo('all')->{blobs} })[0]);
	my @begun = @upload;
	@upload = map { ["turn$n", $c->begin($side, "turn$n", "begun in turn $n"), "begun in turn $n"] } 1, 2;
	return if $n == 1;

	# what the other side left: moved in place, deleted with its tags, referrers, gone on with
	$c->retag($side, 'all', "move$last", $image);
	$c->retag($side, "turn$last", 'v1', $c->image($side, "turn$last", undef));
	$c->delete_manifest($side, "turn$last/below", $c->repo("turn$last/below")->{tags}{v1});
	my ($theirs) = $c->repo('all')->{tags}{"t$last"};
	$c->image($side, 'all', undef, subject => $theirs, artifactType => 'application/x.late');
	$c->delete_manifest($side, 'all', $c->repo('all')->{tags}{"sig$last"});
	$c->delete_tag($side, 'all', "drop$last") if !$side->isa('Berth::Other');       # registry:2 deletes no tag alone
	$c->delete_blob($side, "a$last/z", (sort keys %{ $c->repo("a$last/z")->{blobs} })[0]);
	my ($repo, $uuid, $had) = @{ $begun[0] };
	is $c->finish($side, $repo, $uuid, $had, ", finished in turn $n")->status, 201, "an upload of the other side is finished (turn $n)";
	($repo, $uuid, $had) = @{ $begun[1] };
	is $side->req(DELETE => Berth::Content::location_of($side, $repo, $uuid, length $had))->status, 204, "and one is cancelled (turn $n)";
	if ($n > 2) {
		# what this side wrote before the other's turn
		my $before = $n - 2;
		$c->retag($side, 'all', "keep$before", $image);
		$c->retag($side, "turn$before", 'back', $first{$before});
		$c->delete_manifest($side, 'all', $c->repo('all')->{tags}{"multi$before"});
	}
	return;
}

# 1: berth; its lists are asked for, so that they are made
berth();
turn($b, 1);
is $c->faults($b), '', 'berth serves what it was given in turn 1';
my $made = tags('all');
$b->stop;

# 2: registry:2
$other->start;
is $c->faults($other), '', 'registry:2 serves what berth left in turn 1';
turn($other, 2);
is $c->faults($other), '', 'registry:2 serves what came in turn 2';
$other->stop;

# 3: berth
berth();
isnt tags('all'), $made, 'the list of tags is not the one of turn 1';
is tags('all'), join(' ', sort keys %{ $c->repo('all')->{tags} }), 'it has those that registry:2 added, and not those that it removed, in order';
is tags('all', 'last=drop1&n=2'), 'drop2 keep1', 'also page by page';
is slurp(tag_link($b, 'all', 'latest')), $c->repo('all')->{tags}{latest}, 'a tag that was moved in place is where it was moved to';
is $c->faults($b), '', 'berth serves what registry:2 left in turn 2';
turn($b, 3);
is $c->faults($b), '', 'and what came in turn 3';
$b->restart;
is $c->faults($b), '', 'also after a restart of its own';
$b->stop;

# 4: registry:2, which removes all tags of a repository and moves one without any name added or removed
$other->start;
is $c->faults($other), '', 'registry:2 serves what berth left in turn 3';
turn($other, 4);
$c->delete_manifest($other, 'turn1', $_) for sort keys %{ $c->repo('turn1')->{manifests} };
$c->retag($other, 'turn2', 'v1', $first{2});
is $c->faults($other), '', 'and what came in turn 4';
$other->stop;

# 5: berth deletes what the other's tags point to now: by what it derived before, they point elsewhere
berth();
is $c->faults($b), '', 'berth serves what registry:2 left in turn 4';
is $b->req(GET => '/v2/turn1/tags/list')->body, qq({"name":"turn1","tags":null}\n), 'a repository whose tags registry:2 removed has none';
turn($b, 5);
my $old = $c->repo('all')->{tags}{t1};
$c->delete_manifest($b, 'turn2', $first{2});
$c->delete_manifest($b, 'all', $old);
is $c->faults($b), '', 'and what came in turn 5, with deletes of what registry:2 moved tags to';
$b->stop;

# 6: registry:2 has the last word
$other->start;
is $c->faults($other), '', 'registry:2 serves what berth left in turn 5';
$other->stop;
my $said = $other->collect;
is $said->{status}, 0, 'its collector goes through';
$c->only_referenced;
$other->start;
is $c->faults($other), '', 'and leaves all that a manifest names';
$other->stop;
berth();
is $c->faults($b), '', 'for berth as well';
is leftovers($b), '', 'nothing is left in body, tmp and trash';
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request ended with 5xx';
$b->stop;

done_testing;
