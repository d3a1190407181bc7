#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Pushes, moves, deletes and restores beside collections without a grace period: what was deleted or moved in the last day is there to the last byte, and all of it
# can be brought back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC;
use Berth::Repo;
use Berth::Undo;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\nundo = \"1d\";\njournal = { enabled = true; };\n", workers => 3);
my $ROUNDS = $ENV{BERTH_TEST_LONG} ? 200 : 25;

# push - an image that nobody else pushes, or an index of some, as clients do: all of it again where a part is gone. That is what a collection without a grace
# period does to pushes; what it may not take is what was deleted or moved.
sub push_all {
	my ($repo, $ref, $m, $type, @push_parts) = @_;
	for (1 .. 50) {
		$_->() for @push_parts;
		my $r = $s->push_manifest($repo, $ref, $m, $type);
		return if $r->status == 201;
		die "PUT $repo $ref: " . $r->as_string if $r->status != 400 || $r->body !~ /MANIFEST_BLOB_UNKNOWN/;
	}
	die "PUT $repo $ref: a part is gone each time";
}

sub parts_of { my ($what) = @_; return (qq({"of":"$what"}), "layer of $what") }
sub image_named { my ($what) = @_; return image_of(OCI_MANIFEST, parts_of($what)) }
sub put { my ($repo, $ref, $what) = @_; return push_all($repo, $ref, image_named($what), OCI_MANIFEST, map { my $b = $_; sub { $s->push_blob($repo, $b) } } parts_of($what)) }
sub gone { my ($repo, $ref) = @_; my $r = $s->req('DELETE', "/v2/$repo/manifests/$ref"); die "DELETE $repo $ref: " . $r->as_string if $r->status !~ /^(?:202|404)$/; return }

# One client: images that come and go in every way.
sub client {
	my ($repo) = @_;
	for my $n (1 .. $ROUNDS) {
		my @of = map { "$repo $n $_" } 1 .. 3;
		my @m = map { image_named($_) } @of;
		put($repo, 'latest', $of[0]);
		put($repo, 'latest', $of[1]);
		put($repo, "v$n", $of[0]);
		gone($repo, "v$n");
		my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } @m[1, 2]);
		push_all($repo, 'multi', $index, OCI_INDEX, map { my $k = $_; sub { put($repo, sha256($m[$k]), $of[$k]) } } 1, 2);
		gone($repo, $_) for sha256($index), $n % 3 ? sha256($m[2]) : ();
	}
	return '';
}

my $done = tmp_dir() . '/done';
my @bad = run_parallel(4, sub {
	my ($i) = @_;
	my $end = $i < 2 ? eval { client("app$i") } // "died: $@" : '';
	if ($i < 2) {
		spew("$done$i", '');
		return $end;
	}
	my (@f, $n);
	while (!(-e "${done}0" && -e "${done}1")) {
		if ($i == 2) {
			my $r = gc($s, '--untagged', '--grace', '0s');
			push @f, "gc: $r->{status} $r->{err}" if $r->{status};
		} else {
			my $repo = 'app' . $n++ % 2;
			my @marks = map { mark_says($_) // () } marks_of($s, $repo) or next;
			my $m = $marks[$n * 7 % @marks];
			my $r = berth($s, 'tag', 'restore', "$repo:back" . ($n % 5) . "\@$m->{digest}");
			push @f, "restore $repo $m->{digest}: $r->{status} $r->{err}" if $r->{status} && $r->{err} !~ /is gone|nothing is remembered/;
		}
	}
	return join "\n", @f;
});
is join("\n", grep { $_ } map { ref ? $_->{died} : $_ } @bad), '', 'clients, restores and collections are at work at once, and nothing fails';

make_old($s, 3600);
gc_ok($s, '--untagged', '--grace', '0s', 'a last collection');
is undo_fault($s), '', 'all that went is remembered';
is journal_fault($s), '', 'the journal tells what the store has become';
my (@missing, %seen);
for my $repo ('app0', 'app1') {
	for my $d (grep { !$seen{$_}++ } map { mark_says($_)->{digest} } marks_of($s, $repo)) {
		my $r = berth($s, 'tag', 'restore', "$repo:again\@$d");
		push @missing, "$repo $d: $r->{err}" if $r->{status};
		my $m = $s->req('GET', "/v2/$repo/manifests/$d");
		push @missing, "$repo $d: GET is " . $m->status and next if $m->status != 200;
		push @missing, "$repo: layer $_ of $d" for grep { $s->req('GET', "/v2/$repo/blobs/$_")->status != 200 } map { $_->{digest} } grep { $_ } $m->json->{config}, @{ $m->json->{layers} // [] };
		push @missing, "$repo: child $_ of $d" for grep { $s->req('GET', "/v2/$repo/manifests/$_")->status != 200 } map { $_->{digest} } @{ $m->json->{manifests} // [] };
	}
}
is join("\n", @missing), '', 'and each of it can be brought back, whole: ' . keys(%seen) . ' manifests';
cmp_ok scalar(keys %seen), '>', 4 * $ROUNDS, 'which are many';
is join(' ', dangling_tags($s), fsck_kinds($s)), '', 'fsck finds nothing wrong';
age_marks($s, $_, 25 * 3600) for 'app0', 'app1';
berth_ok($s, 'repo', 'rm', 'app1', 'one repository is removed');
berth($s, 'tag', 'rm', 'app0', map { "back$_" } 0 .. 4);
age_marks($s, 'app0', 25 * 3600);
my $before = @{ blobs_on_disk($s) };
make_old($s, 3600);
gc_ok($s, '--untagged', '--grace', '0s', 'a collection when a day has passed');
my @left = sort map { mark_says($_)->{digest} } marks_of($s, 'app0');
is "@left", '', 'forgets';
cmp_ok scalar(@{ blobs_on_disk($s) }), '<', $before / 4, 'and takes what nothing names: it was ' . $before;
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';
done_testing;
