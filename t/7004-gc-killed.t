#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of berth gc at its system calls, one after the other: nothing is lost, the next run takes what this one left,
# and writers go on. BERTH_STRESS=1 kills at every call; without it at as many as 20 seconds allow,
# spread evenly.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(min);
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;
use Berth::GC;

plain_build_only('it traces system calls');
need_program('strace');

my $DAY = 24 * 3600;
my $began = time;
my $dir = quick_dir();

# --- the store, as it is before each kill -------------------------------------------------

my $model = bare_store("$dir/model");
my (@keep, %dead);

push @keep, lay_image($model, 'k/one', 'v1', '{"k":1}', 'layer 1', 'shared'), lay_image($model, 'k/two', 'v1', '{"k":2}', 'layer 2', 'shared');
my $child = lay_image($model, 'k/two', undef, '{"k":3}', 'layer 3');
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $child->{bytes}));
push @keep, $child, { repository => 'k/two', digest => lay_manifest($model, 'k/two', $index, 'multi'), bytes => $index, tags => ['multi'] };
$dead{sha256($_)} = 1 for map { lay_blob($model, $_->[0], $_->[1]); $_->[1] } ['k/one', 'garbage 1'], ['k/one', 'garbage 2'], ['k/two', 'garbage 2'], ['k/two', 'garbage 3'];
my $untagged = lay_image($model, 'k/one', undef, '{"gone":1}', 'layer of what has no tag');
$dead{$_} = 1 for $untagged->{digest}, keys %{ $untagged->{parts} };
lay_file(blob_file($model, sha256('no link')), 'no link');
$dead{ sha256('no link') } = 1;
my $uuid = '01234567-89ab-4cde-8f01-23456789abcd';
lay_file(data_dir($model) . "/repositories/k/one/_uploads/$uuid/$_", 'x') for qw(startedat data);
make_old($model, 8 * $DAY);
lay_file("$dir/model/berth/tmp/left", 'x');
make_old($model, 8 * $DAY, 'berth/tmp');
my $want_blobs = join ' ', grep { !$dead{$_} } @{ blobs_on_disk($model) };
my $want_links = join ' ', grep { !/ (\S+)$/ || !$dead{$1} } @{ links_on_disk($model) };

my $copies = 0;
sub copy {
	my $s = bare_store("$dir/" . ++$copies);
	run('cp', '-a', '--', "$dir/model/.", $s->root)->{status} and die "cp\n";
	return $s;
}

# --- what it does, call by call -------------------------------------------------------------

my @options = ('--untagged', '--json');
my $s = copy();
run('strace', '-f', '-o', "$dir/trace", gc_cmd($s, @options))->{status} and die "it does not work untouched\n";
is join(' ', @{ blobs_on_disk($s) }), $want_blobs, 'without a kill all garbage goes';
is join(' ', @{ links_on_disk($s) }), $want_links, 'with its links';
my %count;
for (split /\n/, slurp("$dir/trace")) {
	$count{$1}++ if /^\d+\s+(\w+)\(/;
}
my @kinds = grep { $count{$_} } qw(renameat unlinkat mkdirat linkat fsync fdatasync ftruncate fallocate utimensat flock write openat getdents64 nanosleep clock_nanosleep close);
my @plan;
for my $kind (@kinds) {
	my $most = $kind =~ /^(renameat|unlinkat|mkdirat|fsync|flock|utimensat)$/ ? 32 : 10;
	my $n = min($count{$kind}, $ENV{BERTH_STRESS} ? 1e9 : $most);
	my %at = map { 1 + int(($count{$kind} - 1) * ($n > 1 ? $_ / ($n - 1) : 0)) => 1 } 0 .. $n - 1;
	push @plan, map { [$kind, $_] } sort { $a <=> $b } keys %at;
}
# the kinds by turns, so that where time is short some of each is tried
my (%nth, %turn);
$turn{"@$_"} = $nth{ $_->[0] }++ for @plan;
@plan = sort { $turn{"@$a"} * 7 % 32 <=> $turn{"@$b"} * 7 % 32 || $a->[0] cmp $b->[0] } @plan;
diag(join ', ', map { "$_ $count{$_}" } @kinds);

# --- and killed there -------------------------------------------------------------------------

my ($killed, %fault) = 0;
for my $p (@plan) {
	my ($kind, $n) = @$p;
	my $at = "$kind $n of $count{$kind}";
	last if !$ENV{BERTH_STRESS} && time - $began > 20 && $killed > 20;
	$s = copy();
	my $r = run('strace', '-f', '-o', '/dev/null', '-e', "trace=$kind", '-e', "inject=$kind:signal=KILL:when=$n", gc_cmd($s, @options));
	$killed++ if $r->{status} == 128 + 9;
	my $missing = missing_of($s, @keep);
	push @{ $fault{'nothing that is kept is missing after the kill'} }, "$at: $missing" if $missing ne '';
	# what names a blob, and the blob: the name went first
	my %there = map { $_ => 1 } @{ blobs_on_disk($s) };
	my @dangling = grep { / (\S+)$/ && !$there{$1} } @{ links_on_disk($s) };
	push @{ $fault{'no link is left that names nothing'} }, "$at: @dangling" if @dangling;
	my @revisions = map { m{/_manifests/revisions/(\w+)/(\w+)/link$} ? "$1:$2" : () } files_below(data_dir($s) . '/repositories');
	@dangling = grep { !$there{$_} } @revisions;
	push @{ $fault{'no manifest is left that has no bytes'} }, "$at: @dangling" if @dangling;
	# what the kill itself left is as old as anything else one day
	make_old($s, 8 * $DAY, map { "berth/$_" } qw(tmp trash body));
	$r = gc($s, @options);
	push @{ $fault{'the next run ends with 0'} }, "$at: $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
	$missing = missing_of($s, @keep);
	push @{ $fault{'nothing that is kept is missing after the next run'} }, "$at: $missing" if $missing ne '';
	push @{ $fault{'all garbage is gone after the next run'} }, $at
		if join(' ', @{ blobs_on_disk($s) }) ne $want_blobs || join(' ', @{ links_on_disk($s) }) ne $want_links;
	my $left = join ' ', map { my $d = $_; map { "$d/$_" } grep { !/^(?:reserve|last$)/ } files_below($s->root . "/berth/$d") } qw(gc tmp trash body);
	push @{ $fault{'no run and no leftover is there after the next run'} }, "$at: $left" if $left ne '' || -d data_dir($s) . "/repositories/k/one/_uploads/$uuid";
	run('rm', '-rf', '--', $s->root);
}
for my $what ('nothing that is kept is missing after the kill', 'no link is left that names nothing', 'no manifest is left that has no bytes',
	'the next run ends with 0', 'nothing that is kept is missing after the next run', 'all garbage is gone after the next run',
	'no run and no leftover is there after the next run') {
	is join("\n", @{ $fault{$what} // [] }), '', "killed at a system call: $what";
}
cmp_ok $killed, '>', 20, 'it was killed at many of them';
diag("$killed kills of " . scalar(@plan) . ' planned');

# --- beside a registry that goes on -------------------------------------------------------------

my $b = Berth::Server->start(config => "delete = true;\n", workers => 2);
$b->push_image('w/app', 'v1', layers => ['layer of w']);
$b->push_blob('w/app', "garbage of w $_") for 1 .. 5;
make_old($b, 2 * $DAY);
my $r = run('strace', '-f', '-o', '/dev/null', '-e', 'inject=renameat:signal=KILL:when=4', gc_cmd($b));
is $r->{status}, 128 + 9, 'a collection is killed beside a registry';
my $run = content_of($b->root . '/berth/gc/run') // '';
like $run, qr/^[0-9a-f]{16}$/, 'its run is still on';
my ($d, $m) = $b->push_image('w/new', 'v1', layers => ['pushed after the kill']);
is $b->req('HEAD', '/v2/w/new/blobs/' . sha256('pushed after the kill'))->status, 200, 'writers go on';
is $b->req('DELETE', "/v2/w/new/manifests/$d")->status, 202, 'they delete';
is $b->push_manifest('w/new', 'v1', $m, 'application/vnd.docker.distribution.manifest.v2+json')->status, 201, 'and push';
my $notes = join '', map { slurp($b->root . "/berth/gc/$run/$_") } files_below($b->root . "/berth/gc/$run");
like $notes, qr/^\Q$_\E w\/new$/m, "they note what they make reachable ($_)" for $d, sha256('pushed after the kill');
$b->restart;
ok !-e $b->root . '/berth/gc/run', 'a master that starts ends that run';
ok !-d $b->root . "/berth/gc/$run", 'and removes the notes';
ok -e $b->root . '/berth/gc/reserve', 'and makes the reserve';
is $b->req('GET', '/v2/w/new/manifests/v1')->body, $m, 'the image is there';
ok $b->req('GET', '/v2/w/new/blobs/' . sha256('pushed after the kill'))->body eq 'pushed after the kill', 'with its layer';
gc_ok($b, 'a collection afterwards');
is $b->req('GET', '/v2/w/new/blobs/' . sha256('pushed after the kill'))->status, 200, 'takes nothing that is needed';
is scalar(grep { -e blob_file($b, sha256("garbage of w $_")) } 1 .. 5), 0, 'and takes what the other one left';

# A note that could be written only in part (no room) is refused, and the next one of the same worker is read all the same.
{
	make_old($b, 2 * $DAY);
	$b->push_blob('w/app', "more garbage $_") for 1 .. 3;
	make_old($b, 2 * $DAY);
	my $gc = stopped_gc($b, 'docker/registry/v2/blobs/sha256/00');
	$run = content_of($b->root . '/berth/gc/run');
	for (1 .. 20) {
		$b->req('HEAD', '/v2/w/app/blobs/' . sha256('layer of w'));
	}
	my @files = map { $b->root . "/berth/gc/$run/$_" } files_below($b->root . "/berth/gc/$run");
	for my $f (@files) {
		open my $h, '>>', $f or die "$f: $!";
		print {$h} 'sha256:0123';
		close $h;
	}
	for (1 .. 20) {
		$b->req('HEAD', '/v2/w/app/blobs/' . sha256('layer of w'));
	}
	is let_go($gc), 0, 'a note that was cut short does not end the collection' or diag(slurp("$gc->{trace}.said"));
	cmp_ok scalar(@files), '>', 0, 'there were notes';
	is scalar(grep { -e blob_file($b, sha256("more garbage $_")) } 1 .. 3), 0, 'which takes the garbage';
	ok -e blob_file($b, sha256('layer of w')), 'and keeps the rest';
}
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request of all these ended with 5xx';

done_testing;
