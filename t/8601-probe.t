#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth probe says of a file system what it does; and a master does not start where another one serves that it cannot exclude.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX ();
use Berth::Test;
use Berth::Disk;

my $one = disk_by_fuse();
my $other = disk_by_fuse($one);
my @shared = disk_by_fuse(undef, shared => 1);
push @shared, map { disk_by_fuse($shared[0], shared => 1) } 1, 2;
my $local = tmp_dir();

# begin - berth probe as a process of its own, and its output; it is in the middle of its trials when its directory is there
sub begin
{
	my ($out, @words) = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDOUT, '>', $out or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		$SIG{$_} = 'DEFAULT' for qw(HUP INT TERM);
		{ no warnings; exec program('berth'), 'probe', @words }
		POSIX::_exit(127);
	}
	return $pid;
}
sub left { my ($at) = @_; return join ' ', glob "$at.below/berth-probe-*" }

# Each of two file systems stops while it is tried: the second mount of one, the first one of the other. What comes of that is looked at in the end.
my @stopped = map {
	my @pair = (disk_by_fuse());
	push @pair, disk_by_fuse($pair[0]);
	my $out = tmp_dir() . '/out';
	my $pid = begin($out, @pair);
	wait_for { left($pair[0]) && slurp($out) =~ /^unfit +locks/m } or die "berth probe does not begin\n";
	kill STOP => fuse_client($pair[$_]);
	{ pid => $pid, out => $out, at => $pair[0], client => fuse_client($pair[$_]) }
} 0, 1;

# probe - its results by name, and the verdict; nothing may be left
sub probe
{
	my ($status, @words) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = run(program('berth'), 'probe', '--json', @words);
	my @lines = map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out};
	my %of = map { $_->{name} => $_ } grep { $_->{kind} eq 'result' } @lines;

	is $r->{status}, $status, "berth probe @words" or diag($r->{out}, $r->{err});
	is join(' ', map { glob "$_/berth-probe-*" } grep { -d } @words), '', 'it leaves nothing';
	return (\%of, $lines[-1]);
}

my ($of, $verdict) = probe(0, $local);
is $verdict->{verdict}, 'fit', 'a disk of this machine is fit for a store';
like $verdict->{text}, qr/second mount/, 'and it says what it did not try';
is $of->{$_}{result}, 'ok', "$_: ok" for 'locks of one machine', 'hard links';
cmp_ok $of->{$_}{usec}, '>=', 0, "what a $_ costs is said" for 'flush of a file', 'flush of a directory', 'syncfs';
ok !$of->{'locks of two machines'}, 'of two machines nothing is said';

($of, $verdict) = probe(1, $one, $other);
is $verdict->{verdict}, 'unfit', 'two mounts whose locks do not reach each other are not';
is $of->{'locks of two machines'}{result}, 'unfit', 'because of that';
is $of->{$_}{result}, 'ok', "$_: ok, since both are one directory in the end" for 'exclusive open', 'link to one name', 'mkdir of one name';
ok defined $of->{$_}{result}, "$_ was tried" for 'a new file', 'a removed file', 'a replaced file', 'a renamed directory', 'a longer file', 'an open file that is removed',
	'link counts', 'what was done under a lock', 'lock of a killed process';

($of, $verdict) = probe(0, @shared[0, 1]);
is $verdict->{verdict}, 'fit', 'two whose locks do are fit' or diag(JSON::PP->new->encode($of));
is join(' ', grep { $of->{$_}{result} !~ /^(?:ok|info)$/ } keys %$of), '', 'with all results';
for ('exclusive open', 'link to one name', 'mkdir of one name') {
	my ($theirs) = $of->{$_}{text} =~ /: (\d+) times the other one$/;
	ok $theirs > 5 && $theirs < 95, "$_: now one is the first, now the other one" or diag $of->{$_}{text};
}
is $of->{'stale handles (ESTALE)'}{result}, 'info', 'whether looks were stale is said';

# --- it ends before its time
for my $sig (qw(TERM INT HUP KILL)) {
	my $pid = begin("$local/out", $one, $other);
	ok wait_for { left($one) && slurp("$local/out") =~ /^unfit +locks/m }, "it has begun, and gets SIG$sig";
	my @below = Berth::Server::children($pid);
	push @below, map { Berth::Server::children($_) } @below;
	is scalar @below, 2, '... with who tries it, and who follows';
	kill $sig => $pid;
	waitpid $pid, 0;
	is $? & 127, { TERM => 15, INT => 2, HUP => 1, KILL => 9 }->{$sig}, 'it ends by it';
	ok wait_for { left($one) eq '' }, 'no directory is left' or diag left($one);
	ok wait_for { !grep { kill 0, $_ } @below }, 'and no process';
	unlike slurp("$local/out"), qr/^(?:fit|stale|unfit): /m, 'nothing was judged';
}
{
	my $pid = begin("$local/out", $one, $other);
	wait_for { left($one) && slurp("$local/out") =~ /^unfit +locks/m };
	my ($tries) = Berth::Server::children($pid);
	kill KILL => $tries;
	waitpid $pid, 0;
	is $? >> 8, 1, 'one that is killed in its trials is an error';
	ok wait_for { left($one) eq '' }, 'who follows removes what it has left';
}

# --- the client that is to be killed
my $sleeps = fork // die "fork: $!";
if (!$sleeps) { exec 'sleep', 1000 or POSIX::_exit(127) }
for ([$sleeps, qr/^berth: process $sleeps is not the client of \Q$shared[1]\E: [^\n]+\n\z/], [fuse_client($shared[0]), qr/is not the client/], [fuse_client($one), qr/is not the client/],
	[2**31 - 1, qr/there is no process/]) {
	my $r = run(program('berth'), 'probe', '--client', $_->[0], @shared[0, 1]);
	is $r->{status}, 1, 'a process that is not the client of the second mount is refused';
	like $r->{err}, $_->[1], '... in one line';
	is $r->{out}, '', '... before anything is tried';
	is left($shared[0]), '', 'nothing is left';
}
ok kill(0, $sleeps), 'and it lives';
kill KILL => $sleeps;
waitpid $sleeps, 0;
($of, $verdict) = probe(0, '--client', fuse_client($shared[2]), @shared[0, 2]);
is $of->{'lock of a killed client'}{result}, 'info', 'how long the locks of a killed client stay' or diag(JSON::PP->new->encode($of));
is waitpid(fuse_client($shared[2]), 0), fuse_client($shared[2]), 'the client was killed';
is $? & 127, 9, '... by it';

# --- what says nothing of the file system
mkdir "$local/$_" for qw(full read-only);
is run('mount', '-t', 'tmpfs', '-o', 'size=32k', 'none', "$local/full")->{status}, 0, 'a file system that is full soon';
is run('mount', '-t', 'tmpfs', '-o', 'ro', 'none', "$local/read-only")->{status}, 0, 'and one that is mounted for reading';
for (["$local/full", 'flush of a file: writing failed: No space left on device: free some space there'],
	["$local/read-only", "cannot make a directory in $local/read-only: Read-only file system: mount it for writing"]) {
	my $r = run(program('berth'), 'probe', $_->[0]);
	is $r->{status}, 1, "$_->[0]: an error";
	is $r->{err}, "berth: $_->[1]\n", '... in one line that says what helps';
	unlike $r->{out}, qr/^(?:fit|stale|unfit)/m, '... and no verdict';
	is join(' ', glob "$_->[0]/*"), '', 'nothing is left';
	run('umount', $_->[0]);
}

# --- directories
spew("$local/other-file", 'x');
my $r = run(program('berth'), 'probe', $local, $local);
is $r->{status}, 1, 'one mount twice is refused';
like $r->{err}, qr/one mount/, 'and the reason is said';
$r = run(program('berth'), 'probe', $local, $one);
is $r->{status}, 1, 'and so are two directories that have nothing to do with each other';
like $r->{err}, qr/^berth: \Q$one\E is another directory than \Q$local\E, [^\n]+\n\z/, '... in one line';
is $r->{out}, '', '... before anything is tried';
$r = run(program('berth'), 'probe', $local, "$local/none");
is "$r->{status} $r->{err}", "1 berth: cannot open $local/none: No such file or directory\n", 'and a second one that does not exist';
is slurp("$local/other-file"), 'x', 'what else is there stays';
$r = run(program('berth'), 'probe', "$local/none");
is "$r->{status} $r->{err}", "1 berth: cannot open $local/none: No such file or directory\n", 'and one that does not exist';
is run(program('berth'), 'probe', @$_)->{status}, 2, "usage: @$_" for [], [qw(a b c)], ['--client', 'x', 'a', 'b'], ['--client', '77', 'a'];

# --- a start --------------------------------------------------------------------------------

my $first = Berth::Server->start(root => "$one/store");
my @files = glob "$one/store/berth/locks/machines/*";
is scalar @files, 1, 'a master on a file system that may belong to several machines has a file there';
my $text = slurp($files[0]);
ok wait_for { slurp($files[0]) ne $text }, 'to which it writes again and again';
my ($beat) = grep { Berth::Server::comm($_) eq 'berth-beat' } Berth::Server::children($first->master_pid);
kill KILL => $beat;
ok wait_for { grep { $_ != $beat && Berth::Server::comm($_) eq 'berth-beat' } Berth::Server::children($first->master_pid) }, 'what writes it is begun again if it is killed';

$r = run(program('berth-fcgi'), '--root', "$other/store", '--listen', "$local/w.sock");
is $r->{status}, 1, 'another one that has locks of its own does not start';
like $r->{err}, qr/^berth-fcgi: other machines serve .* locks .* do not reach them[^\n]*\n\z/, 'with one line';
is scalar(my @now = glob "$one/store/berth/locks/machines/*"), 1, 'and leaves no file';

my $second = Berth::Server->start(root => "$one/store");
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 2, 'one whose locks reach the first one starts';
$second->stop_workers('KILL');
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 2, 'one that is killed leaves its file';
$second->start_workers;
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 2, 'which the next one removes';
ok $first->replace_workers, 'a reload';
is scalar(grep { $_ eq $files[0] } glob "$one/store/berth/locks/machines/*"), 1, 'after which a master has its file still';
$_->stop_workers for $first, $second;
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 0, 'masters that end remove theirs';

my $disk = Berth::Server->start;
ok !-e $disk->root . '/berth/locks/machines', 'on a file system of this machine alone there is none of it';

# --- the file systems that have stopped
for (0, 1) {
	my $s = $stopped[$_];
	waitpid $s->{pid}, 0;
	is $? >> 8, 1, 'a probe of a file system that has stopped ends';
	like slurp($s->{out}), $_ ? qr/^berth: [^\n]*the other machine does not answer any more: [^\n]+\n\z/m : qr/^berth: the file system has not answered for \d+ s: [^\n]+\n\z/m, 'and says so';
	unlike slurp($s->{out}), qr/^(?:fit|stale|unfit): /m, '... and does not judge';
	kill CONT => $s->{client};
	ok wait_for { left($s->{at}) eq '' }, 'nothing is left';
}

done_testing;
