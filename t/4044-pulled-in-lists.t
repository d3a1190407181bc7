#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# When tags were pulled last is in the list of tags as it is on disk: after pulls, while the summary is written anew, when there are too many to note,
# after moves, deletes, restarts and another name. (What a page costs then: t/4041-summary-cost.t.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::Local qw(timegm);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;

my $s = Berth::Server->start(root => quick_dir(300) . '/store', config => "delete = true;\nfsync = \"off\";\n", workers => 3);
my $repo = 'team/app';
my $summary = $s->root . "/berth/index/$repo/_summary";
my ($digest, $manifest) = $s->push_image($repo, 't0', type => 'oci');
sub put { my ($tag) = @_; return $s->req(PUT => "/v2/$repo/manifests/$tag", body => $manifest, headers => ['Content-Type' => OCI_MANIFEST])->status == 201 || die $tag }
my $longest = 0;        # of all pulls, in seconds
sub pull
{
	my ($tag) = @_;
	my $began = time;

	$s->req(GET => "/v2/$repo/manifests/$tag")->status == 200 || die $tag;
	$longest = time - $began if time - $began > $longest;
	return;
}
sub rows { return all_pages($s, "/berth/v1/repos/$repo/tags?$_[0]&n=100", 'tags') }
sub time_of { my ($t) = @_; my @t = ($t // '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/ or return 0; return timegm(@t[5, 4, 3, 2], $t[1] - 1, $t[0]) }
# near - the same time, to a second more than the longest pull took: that of a line and that of a file are asked for one after the other
sub near { return abs($_[0] - $_[1]) <= 1 + $longest }
# agree - each row has the time that is noted
sub agree
{
	my ($what, @queries) = @_;
	my @bad;

	for my $q (@queries ? @queries : qw(sort=name sort=pushed sort=version)) {
		for my $row (rows($q)) {
			my ($is, $says) = (pulled_of($s, $repo, $row->{tag}) // 0, time_of($row->{pulled}));
			push @bad, "$row->{tag}: $says, not $is, by $q" if !near($is, $says);
		}
	}
	is join("\n", @bad), '', $what;
	return;
}
# of another hour, so that the next pull is noted anew
sub age { pulled_at($s, $repo, $_, time - 5 * HOUR) for @_; return }

put("t$_") for 1 .. 40;
agree('none was pulled');
is scalar(grep { $_->{pulled} } rows('sort=name')), 0, '... and none says so';
pull("t$_") for 3, 7, 11;
agree('three were pulled');
is join(' ', map { $_->{tag} } grep { $_->{pulled} } rows('sort=name')), 't11 t3 t7', '... and only these say so';
ok near(time_of((grep { $_->{tag} eq 't3' } rows('q=t3'))[0]{pulled}), time_of($s->req(GET => "/berth/v1/repos/$repo/manifests/t3")->json->{pulled})), 'as the image says';
put('t3');
agree('one that is pushed again');
$s->req(DELETE => "/v2/$repo/manifests/t7");
put('t7');
agree('one that is deleted and comes again');
for my $i (1 .. 60) {
	put('t' . $i % 40);
}
rows('sort=name');
agree('written anew');
cmp_ok -s $summary, '<', 60_000, '... which it is';
age(map { "t$_" } 0 .. 40);
$s->replace_workers or die;
unlink $summary or die;
agree('without a summary');
pull("t$_") for 0 .. 20;
agree('pulls of another hour');
$s->restart;
agree('another epoch');
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'index', 'rebuild', 'the index is made again');
agree('rebuilt');

# more pulls than are noted
my @many = map { 'a-tag-with-a-name-' . 'x' x 60 . "-$_" } 1 .. 900;
put($_) for @many;
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'index', 'rebuild', 'the index is made anew, with nothing behind its rows');
my $before = -s $summary;
for my $try (1 .. 3) {
	age(@many);
	$s->replace_workers or die;
	pull($_) for @many[0 .. 300 * $try - 1];
}
my $grown = (-s $summary) - $before;
cmp_ok $grown, '>', 60_000, "pulls are noted behind the rows ($grown bytes)";
cmp_ok $grown, '<', 140_000, '... up to a size';
agree('more than are noted', 'sort=name');
ok wait_for(sub { rows('sort=name'); return -s $summary < $before + 40_000 }), 'a list writes it anew, if nobody else is at work';
agree('and is right then');

# pulls while it is written anew
{
	my @pids;

	age(@many);
	$s->replace_workers or die;
	for my $i (0 .. 2) {
		my $pid = fork // die;
		if (!$pid) {
			eval { pull($many[$_]) for grep { $_ % 3 == $i } 0 .. 599; 1 } or print STDERR $@;
			require POSIX;
			POSIX::_exit($longest < 255 ? $longest : 255);
		}
		push @pids, $pid;
	}
	for (1 .. 25) {
		unlink $summary if $_ % 3 == 0;
		rows('sort=name');
		put("t$_") for 0 .. 9;
	}
	for (@pids) {
		waitpid $_, 0;
		$longest = $? >> 8 if $? >> 8 > $longest;
	}
	agree('pulls while it is made and written anew', 'sort=name', 'sort=pushed');
}

run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'repo', 'mv', $repo, 'new/name', 'it gets another name');
$repo = 'new/name';
agree('under another name', 'sort=name');
$s->config("fsync = \"off\";\nreadonly = true;\n");
$s->replace_workers or die;
agree('in a registry that is read-only', 'sort=name');
$s->stop;
done_testing;
