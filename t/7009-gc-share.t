#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Several processes read what is to be kept, where there are many repositories: they find what one alone finds, and where
# one of them fails nothing is deleted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::GC;

plain_build_only('it traces system calls');
need_program($_) for 'strace', 'taskset';

my $DAY = 24 * 3600;
my $s = bare_store();
my (@images, @untagged);
for my $i (1 .. 40) {
	my $repo = sprintf 'team/app%02d', $i;
	push @images, lay_image($s, $repo, 'v1', "{\"app\":$i}", "layer of $repo", 'a layer of all');
	push @untagged, lay_image($s, $repo, undef, "{\"old\":$i}", "layer of what has no tag in $repo");
	lay_blob($s, $repo, "garbage of $repo");
}
lay_manifest($s, 'team/app17', '{"schemaVersion":2,"layers":[', 'broken');
make_old($s, 2 * $DAY);
my $before = join ' ', files_below(data_dir($s));

sub told { return join "\n", sort map { key_of($_) } gc_told($_[0]) }
sub gc_by { my ($cpus, @o) = @_; return run('taskset', '-c', $cpus, gc_cmd($s, '--json', @o)) }

my ($cpu, @more) = map { /^(\d+)-(\d+)$/ ? $1 .. $2 : $_ } split /,/, (slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m)[0];
lacking('there are two processors', 'there is one processor, so nothing is shared') if !@more;
my $two = "$cpu,$more[0]";

# processes - how many of them there are; and how many of these read tags. Opening is slow, so that there is something left for
# whoever comes later.
sub processes
{
	my ($cpus, @o) = @_;
	my $trace = tmp_dir() . '/trace';

	run('taskset', '-c', $cpus, 'strace', '-f', '-o', $trace, '-e', 'trace=execve,openat', '-e', 'inject=openat:delay_enter=8000',
		gc_cmd($s, '--dry-run', @o));
	my @lines = split /\n/, slurp($trace);
	my ($all, $readers) = map { my %pid = map { /^(\d+)/ ? ($1 => 1) : () } @$_; scalar keys %pid } \@lines, [grep { m{/current/link} } @lines];
	return { all => $all, readers => $readers };
}
# readers - how many read, two if they do so in one of several runs: all may be done before the second one begins
sub readers
{
	my @o = @_;
	my $n;

	return (wait_for { ($n = processes(@o)->{readers}) == 2 }) ? 2 : $n;
}
is readers($two), 2, 'two processors: two processes read';
is processes($cpu)->{all}, 1, 'one processor: one does all';
is processes($two, '--rate', 100_000)->{all}, 1, 'a rate: one, which keeps it';
is readers($two, '--untagged'), 2, 'a dry run that looks for what is untagged: two, for it takes no lock';

{
	my ($one, $both) = map { gc_by($_, '--dry-run') } $cpu, $two;
	is $both->{status}, 0, 'two processes do it' or diag $both->{err};
	ok told($both) eq told($one), 'they tell what one alone tells';
	is gc_total($both)->{$_}, gc_total($one)->{$_}, "and count as many $_" for qw(links blobs manifests unreadable bytes kept_blobs);
	like told($both), qr{^unreadable team/app17 }m, 'a manifest that one of them cannot read among it';
}

# the helper fails, one way or the other
for my $case (['memfd_create:error=EMFILE', 0], ['clone,clone3:error=EAGAIN', 0], ['prctl:signal=KILL', 1]) {
	my ($inject, $fails) = @$case;
	my $r = run('taskset', '-c', $two, 'strace', '-f', '-o', '/dev/null', '-e', "inject=$inject", gc_cmd($s, $fails ? () : '--dry-run'));
	is $r->{status}, $fails, "$inject: " . ($fails ? 'the collection fails' : 'one process does it alone') or diag $r->{err};
	next if !$fails;
	like $r->{err}, qr/^berth: [^\n]*helper process[^\n]*\n\z/, 'and says so in one line';
	ok join(' ', files_below(data_dir($s))) eq $before, 'nothing was deleted';
}
# whichever of the two it is that meets them
for my $i (1 .. 6) {
	my $link = revision_link($s, $untagged[5 * $i]{repository}, $untagged[5 * $i]{digest});
	my $r = run('taskset', '-c', $two, 'strace', '-f', '-o', '/dev/null', '-P', substr($link, 1 + length $s->root),
		'-e', 'inject=faccessat,faccessat2:error=EIO', gc_cmd($s));
	is "$r->{status} $r->{err}", "1 berth: cannot look for " . substr($link, 1 + length $s->root) . ": Input/output error\n",
		'a link that cannot be looked at is said, as by one alone';
	ok join(' ', files_below(data_dir($s))) eq $before, 'and nothing was deleted';
}

# killed, it takes the helper with it
my $pid = fork // die;
if (!$pid) {
	open STDOUT, '>', '/dev/null';
	exec 'taskset', '-c', $two, 'strace', '-f', '-o', '/dev/null', '-e', 'trace=faccessat,faccessat2', '-e', 'inject=faccessat,faccessat2:delay_enter=2000000', gc_cmd($s, '--dry-run');
}
my ($gc, $helper);
wait_for { ($gc) = grep { (eval { slurp("/proc/$_/cmdline") } // '') =~ /^\S*berth\0/ } Berth::Server::children($pid); ($helper) = $gc ? Berth::Server::children($gc) : (); $helper };
ok $helper, 'it works, with a helper';
kill KILL => $gc if $gc;
ok $helper && wait_for { !-d "/proc/$helper" || (eval { slurp("/proc/$helper/stat") } // '') =~ /\) [ZX] / }, 'kill -9 of it ends the helper';
waitpid $pid, 0;

gc_ok($s, '--grace', '1000h', 'what is left of it does not hinder the next');

# --- they delete, too, where nobody serves

lay_file(blob_file($s, sha256("no link $_")), "no link $_") for 1 .. 1100;      # enough for two
make_old($s, 2 * $DAY);
my $dir = tmp_dir();
my $copies = 0;
sub copy
{
	my $c = bare_store("$dir/copy" . ++$copies);
	run('cp', '-a', '--', $s->root . '/.', $c->root)->{status} and die "cp\n";
	return $c;
}
sub left { my ($c) = @_; return join ' ', @{ blobs_on_disk($c) }, @{ links_on_disk($c) }, files_below($c->root . '/berth/trash') }

my ($one, $both, $by_both) = copy();
my $by_one = run('taskset', '-c', $cpu, gc_cmd($one, '--json'));
# so slow that there is something left for whoever comes later, in one of several runs at the latest
ok +(wait_for {
	run('rm', '-rf', '--', $both->root) if $both;
	$both = copy();
	$by_both = run('taskset', '-c', $two, 'strace', '-f', '-s', 300, '-o', "$dir/removed", '-e', 'trace=unlinkat', '-e', 'inject=unlinkat:delay_enter=1000',
		gc_cmd($both, '--json'));
	my %removed;
	/^(\d+) +unlinkat\(\d+, "[^"]*(_layers|blobs)\// and $removed{$2}{$1} = 1 for split /\n/, slurp("$dir/removed");
	!grep { keys %{ $removed{$_} // {} } < 2 } qw(_layers blobs);
}), 'two processes delete links, and content';
ok told($by_both) eq told($by_one), 'they tell what one alone tells';
is gc_total($by_both)->{$_}, gc_total($by_one)->{$_}, "and count as many $_" for qw(links blobs manifests unreadable bytes kept_blobs);
is left($both), left($one), 'and leave the same';
is missing_of($both, @images, @untagged), '', 'which is all that is needed';

# one of them or both are killed
for my $at ('unlinkat:signal=KILL:when=30', 'unlinkat:signal=KILL:when=300', 'unlinkat:signal=KILL:when=5', 'unlinkat:signal=KILL:when=600',
	'fsync:signal=KILL:when=4', 'waitid,wait4:signal=KILL:when=2', 'prctl:signal=KILL', 'unlinkat:error=EIO:when=201+') {
	my $c = copy();
	my $r = run('taskset', '-c', $two, 'strace', '-f', '-o', '/dev/null', '-e', "inject=$at", gc_cmd($c));
	isnt $r->{status}, 0, "$at: it does not end well";
	is missing_of($c, @images, @untagged), '', 'nothing that is kept is missing';
	make_old($c, 8 * $DAY, 'berth/trash', 'berth/tmp');
	gc_ok($c, 'the next one ends well');
	is left($c), left($one), 'and leaves what one that was not disturbed leaves';
	run('rm', '-rf', '--', $c->root);
}

# --- where somebody serves one process deletes, in small batches

my $serving = copy();
my $server = Berth::Server->start(root => $serving->root);
my $r = run('taskset', '-c', $two, 'strace', '-f', '-s', 300, '-o', "$dir/renames", '-e', 'trace=renameat', gc_cmd($serving));
is $r->{status}, 0, 'beside a master' or diag $r->{err};
my %pids = map { /^(\d+) +renameat\(\d+, "[^"]*(?:_layers|blobs)\// ? ($1 => 1) : () } split /\n/, slurp("$dir/renames");
is scalar(keys %pids), 1, 'one process deletes, for it lets writers in all the time';
is left($serving), left($one), 'the same';
$server->stop;

gc_ok($s, '--untagged', 'and all of it');
is missing_of($s, @images), '', 'which takes nothing that is needed';
is scalar(grep { -e layer_link($s, $_->{repository}, sha256("garbage of $_->{repository}")) } @images), 1, 'and all garbage but that beside the broken manifest';
done_testing();
