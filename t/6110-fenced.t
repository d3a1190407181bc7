#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# On a file system of several machines a worker stands still in the middle of a change, at each of its calls, and loses its locks. Another one is
# acknowledged meanwhile. When the first goes on it undoes nothing of that: either its own change came before, or it fails. So it is where
# a rename is told then that a name of it is stale.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Fence;

my $i = fenced_server;
my $repo = 'team/app';
my $type = 'application/vnd.oci.image.manifest.v1+json';
my $serial = 0;
my $lost = 0;

sub text { return 'layer number ' . ++$serial }
sub tag_says { my ($tag) = @_; my $r = $i->ask('GET', "/v2/$repo/manifests/$tag"); return $r->status eq '200' ? sha256($r->body) : $r->status }
sub tags { my $r = $i->ask('GET', "/v2/$repo/tags/list?n=10000"); return join ' ', grep { /^t\d+$/ } $r->body =~ /"([^"]+)"/g }
sub put { my ($tag, $json, %headers) = @_; return ['PUT', "/v2/$repo/manifests/$tag", { body => $json, headers => { CONTENT_TYPE => $type, %headers } }] }

# others_push - on condition that nothing has been changed yet, or else without one: the manifest, and whether nothing had been
sub others_push
{
	my ($tag, %if) = @_;
	my $text = text();
	my $json = push_by($i, $repo, $tag, $text, %if);

	return $json ? ($json, 1) : (push_by($i, $repo, $tag, $text), 0);
}

# is_others - what is wrong with a tag that the other one has pushed, when the first one has its answer
sub is_others
{
	my ($status, $tag, $mine, $other, $unchanged) = @_;
	my $is = tag_says($tag);

	return "its change was made before none, and so was the other one's" if $unchanged && $status =~ /^2/;
	return $is eq sha256($other) ? '' : 'the tag is ' . ($is eq sha256($mine) ? 'that of the one that stood still' : $is);
}

# Each case: the request of the one that stands still, what the other one does, and what is wrong afterwards, by the status of the first.
my %cases = (
	'a new tag' => sub {
		my ($tag, $mine) = ("t$serial", push_by($i, $repo, 'any', text()));
		my @none = (HTTP_IF_NONE_MATCH => '*');
		my @other;
		return (put($tag, $mine, @none), sub { @other = others_push($tag, @none) }, sub { return is_others($_[0], $tag, $mine, @other) });
	},
	'a tag that moves' => sub {
		my ($tag, $mine) = ("t$serial", push_by($i, $repo, 'any', text()));
		my @same = (HTTP_IF_MATCH => '"' . sha256(push_by($i, $repo, $tag, text())) . '"');
		my @other;
		return (put($tag, $mine, @same), sub { @other = others_push($tag, @same) }, sub { return is_others($_[0], $tag, $mine, @other) });
	},
	'a tag that is deleted' => sub {
		my $tag = "t$serial";
		my @same = (HTTP_IF_MATCH => '"' . sha256(push_by($i, $repo, $tag, text())) . '"');
		my @other;
		return (['DELETE', "/v2/$repo/manifests/$tag", { headers => { @same } }], sub { @other = others_push($tag, @same) }, sub { return is_others($_[0], $tag, '', @other) });
	},
	'a tag that moves, and is deleted meanwhile' => sub {
		my ($tag, $mine) = ("t$serial", push_by($i, $repo, 'any', text()));
		my $before = push_by($i, $repo, $tag, text());
		return (put($tag, $mine, HTTP_IF_MATCH => '"' . sha256($before) . '"'), sub {
			my $r = $i->ask('DELETE', "/v2/$repo/manifests/$tag");
			die 'DELETE: ' . $r->status . "\n" if $r->status ne '202';
		}, sub { return tag_says($tag) eq '404' ? '' : 'the tag is ' . tag_says($tag) });
	},
);

for my $what (sort keys %cases) {
	my ($request) = $cases{$what}->();
	my ($how, $r, @calls) = $i->traced('count', $request);
	my (@bad, %seen);
	for my $n (1 .. @calls) {
		next if $calls[$n - 1] !~ /^(?:renameat|unlinkat|mkdirat|linkat|flock|write(?!\@))/ && !$ENV{BERTH_TEST_ALL} && $n % 5;
		for my $then (undef, $calls[$n - 1] =~ /^renameat/ ? 'stale' : ()) {
			my ($mine, $meanwhile, $fault) = $cases{$what}->();
			my ($status, $at) = stands_still($i, $n, $mine, $meanwhile, $then);
			next if !defined $at;
			$seen{$status}++;
			push @bad, "$n, $at: answered with $status" if $status !~ /^(?:20[12]|404|412|503)$/;
			my $wrong = $fault->($status);
			push @bad, "$n, $at: answered with $status, but $wrong" if $wrong ne '';
		}
	}
	ok !@bad, "$what: nothing that another one was told is undone, at " . keys(%seen) . ' kinds of answers: ' . join ', ', map { "$_: $seen{$_}" } sort keys %seen
		or diag join "\n", @bad;
	$lost += $seen{503} // 0;
}
cmp_ok $lost, '>', 4, "$lost times one that had lost its lock was refused";
my @said = grep { ($_->{event} // '') eq 'lock_lost' } $i->server->log_events;
cmp_ok scalar(@said), '>', 0, 'and the log says why';

# What a death leaves of directories that have no link yet is there after a loss, too: doc/STORE.md calls it garbage. A row of the summary may
# be late (doc/MACHINES.md, "Locks that are lost").
is join("\n", grep { !/^(?:tag-without-link|tag-index-link|index-summary) |^\d+ repositories/ } split /\n/, $i->fsck_fault =~ s/^fsck: status 1: //r), '', 'fsck finds nothing else than garbage';
my %there = map { $_ => 1 } split / /, tags();
my @wrong = grep { ($there{"t$_"} // 0) != (tag_says("t$_") eq '404' ? 0 : 1) } 0 .. $serial;
is "@wrong", '', 'the list of tags names those that are there, and no others';
is_deeply [grep { !m{^trash/} } $i->leftovers], [], 'nothing is left but what is in the trash';
done_testing;
