#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of a run of the rules at each of its system calls that change or flush anything: each tag is whole or gone, and then remembered; what a rule
# keeps is there; the next run finishes. At as many calls as 30 seconds allow, or BERTH_STRESS seconds.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC;
use Berth::Repo;
use Berth::Rules;

plain_build_only('it traces system calls');
need_program('strace');

my $SECONDS = $ENV{BERTH_STRESS} || 30;
my $began = time;
my $now = int $began;
my $dir = quick_dir();
my @CALLS = qw(renameat unlinkat mkdirat write pwrite64 fsync syncfs flock openat utimensat);
my $CONFIG = "rules_delay = \"0s\";\nundo = \"1d\";\njournal = { enabled = true; };\ngc = { grace = \"0s\"; };\n"
	. "rules = ( { repo = \"**\"; keep = ( { tag = \"keep*\"; } ); untagged = \"1d\"; } );\n";

# --- a store as a registry leaves it
my $server = Berth::Server->start(root => "$dir/model", config => $CONFIG, workers => 2);
my %digest;
for my $repo ('a/app', 'b/app') {
	for my $tag ('keep1', 'keep2', 'old1', 'old2', 'old3') {
		($digest{"$repo $tag"}) = $server->push_image($repo, $tag);
		$server->req('GET', "/v2/$repo/manifests/$tag");
	}
	tags_of($server, $repo);
}
$server->stop;

my $copies = 0;
sub copy
{
	my $to = "$dir/copy" . ++$copies;

	run('cp', '-a', '--', "$dir/model", $to)->{status} and die "cp\n";
	return ruled_store($CONFIG, $to);
}

sub old_tags { return grep { /old/ } sort keys %digest }

# fault_killed - what is wrong right after a kill: a tag is what it was, or gone and remembered
sub fault_killed
{
	my ($s) = @_;
	my @bad = map { "$_ points to nothing" } dangling_tags($s);
	my %deleted;

	for (sort keys %digest) {
		my ($repo, $tag) = split / /;
		my $is = content_of(tag_link($s, $repo, $tag));
		next if defined $is && $is eq $digest{$_};
		push @bad, "$_ is " . ($is // 'gone') if defined $is || $tag =~ /keep/;
		$deleted{$repo} //= run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'tag', 'deleted', $repo, '--json')->{out};
		push @bad, "$_ is gone and not remembered" if !defined $is && $deleted{$repo} !~ /"$tag".*"$digest{$_}"/;
	}
	my @found = fsck_kinds($s);
	push @bad, "fsck: @found" if @found;
	return join '; ', @bad;
}

# fault_after - what is wrong when rules have run to their end
sub fault_after
{
	my ($s) = @_;
	my @bad = (fault_killed($s) || ());
	my $left = tags_on_disk($s);

	push @bad, "tags: $left" if $left ne join ' ', grep { /keep/ } sort keys %digest;
	push @bad, "journal: $_" for grep { $_ ne '' } journal_fault($s);
	push @bad, 'when rules ran is not known' if last_run($s) < $now;
	return join '; ', @bad;
}

my %words = ('by hand' => sub { return rules_cmd($_[0], 'apply') }, 'in a collection' => sub { return gc_cmd($_[0]) });
my @plan;
for my $how (sort keys %words) {
	my $s = copy();
	is run('strace', '-f', '-o', "$dir/trace", $words{$how}->($s))->{status}, 0, "$how: untouched, it is done";
	is fault_after($s), '', '... and all is as it has to be';
	my %count;
	for (split /\n/, slurp("$dir/trace")) {
		$count{$1}++ if /^\d+\s+(\w+)\(/;
	}
	push @plan, map { my $call = $_; map { [$how, $call, $_] } 1 .. $count{$call} } grep { $count{$_} } @CALLS;
}
my (%nth, %turn, %fault, %killed);
$turn{"@$_"} = $nth{"$_->[0] $_->[1]"}++ * 5 % 17 + ($_->[1] =~ /^(?:renameat|fsync)$/ ? -20 : $_->[1] eq 'openat' ? 20 : 0) for @plan;
for my $p (sort { $turn{"@$a"} <=> $turn{"@$b"} || $a->[2] <=> $b->[2] } @plan) {
	my ($how, $call, $n) = @$p;
	next if time - $began > $SECONDS && ($killed{$how} // 0) >= 5;
	my $s = copy();
	my $r = run('strace', '-f', '-o', '/dev/null', '-e', "trace=$call", '-e', "inject=$call:signal=KILL:when=$n", $words{$how}->($s));
	$killed{$how}++ if $r->{status} == 128 + 9;
	my $bad = fault_killed($s);
	push @{ $fault{$how} }, "killed at $call $n: $bad" if $bad ne '';
	$r = run($words{$how}->($s));
	push @{ $fault{$how} }, "killed at $call $n: the next run says $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
	$bad = fault_after($s);
	push @{ $fault{$how} }, "killed at $call $n, run again: $bad" if $bad ne '';
	run('rm', '-rf', '--', $s->root);
}
for my $how (sort keys %words) {
	is join("\n", @{ $fault{$how} // [] }), '', "$how: killed at a system call, no tag is half gone, and the next run finishes";
	cmp_ok $killed{$how} // 0, '>=', 5, "... at several of them";
}
diag(join(', ', map { "$_: $killed{$_}" } sort keys %killed) . sprintf ' of %d, %.0f s', scalar @plan, time - $began);
done_testing;
