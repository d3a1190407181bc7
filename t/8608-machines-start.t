#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Masters on several machines at their start: two that cannot exclude each other see it, whether they start at once or one of them takes long;
# one that has lost its lock takes all of them up again; and what somebody may still need is not removed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl ':flock';
use Berth::Test;
use Berth::Disk;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');

my $one = disk_by_fuse();
my $other = disk_by_fuse($one);         # the same directory, and no lock of one reaches the other
my $dir = "$one/store/berth/locks/machines";
my $refused = qr/berth-fcgi: other machines serve .* locks .* do not reach them/;

sub files { my @f = map { m{([0-9a-f]{16})\z} } glob "$dir/*"; return @f }
# The number that a file has, as it is there: all are as long.
sub number { my ($text) = slurp("$dir/$_[0]") =~ /^([0-9a-f]{16}) / or die "$dir/$_[0] has no number"; return $1 }
sub events { my ($s, $event) = @_; return grep { ($_->{event} // '') eq $event } $s->log_events }

my $a = Berth::Server->start(root => "$one/store", workers => 1);
my ($own) = files();
my @numbers = number($own);
for (1 .. 2) {
	wait_for { number($own) ne $numbers[-1] } or last;
	push @numbers, number($own);
}
cmp_ok $numbers[1], 'gt', $numbers[0], 'a number grows';
cmp_ok $numbers[2], 'gt', $numbers[1], 'and grows';

# --- a reload -------------------------------------------------------------------------------

my $dead = 'dead' x 4;
spew("$dir/$dead", '');
ok $a->replace_workers, 'a reload, with a file there that nobody has locked';
is join(' ', sort(files())), join(' ', sort($own, $dead)), 'the master keeps its file, and looks at no other one';
my $before = number($own);
ok wait_for { number($own) gt $before }, 'whose number still grows';

# --- a lost lock ----------------------------------------------------------------------------

my ($PIDFD_OPEN, $PIDFD_GETFD) = (434, 438);
# The open file of another process, as if it were inherited: what is done to its lock is done to that one's.
sub file_of
{
	my ($pid, $path) = @_;
	my ($fd) = map { m{(\d+)\z} } grep { (readlink // '') eq $path } glob "/proc/$pid/fd/*";
	defined $fd or die "$path is not open";
	my $p = syscall $PIDFD_OPEN, $pid + 0, 0;
	my $got = syscall $PIDFD_GETFD, $p, $fd + 0, 0;
	die "pidfd_getfd: $!" if $got < 0;
	open my $h, '+<&=', $got or die "open: $!";
	return $h;
}

for my $how (['its lock is gone', sub { flock file_of($a->master_pid, "$dir/$_[0]"), LOCK_UN or die "flock: $!" }],
	['its file was removed', sub { unlink "$dir/$_[0]" or die "unlink: $!" }]) {
	my ($what, $do) = @$how;
	my ($mine) = grep { $_ ne $dead } files();
	my $ready = () = events($a, 'ready');
	my @workers = $a->worker_pids;

	$do->($mine);
	ok wait_for { (() = events($a, 'ready')) > $ready }, "$what: the master begins again";
	ok $a->master_alive, 'it is the same one';
	is scalar(grep { my $w = $_; grep { $_ == $w } @workers } $a->worker_pids), 0, 'with other workers';
	ok wait_for { my @f = files(); @f == 1 && $f[0] ne $mine }, 'and another file; what a killed one had left is gone';
	is $a->req('GET', '/v2/')->status, 200, 'and it serves';
}
like join("\n", map { $_->{message} // $_->{msg} // '' } events($a, 'machines')), qr/lost its locks/, 'the log says why';

# --- what is not removed --------------------------------------------------------------------

symlink 'nowhere', "$dir/$dead" or die "symlink: $!";
my $b = Berth::Server->start(root => "$one/store", workers => 1);
ok -l "$dir/$dead", 'what cannot be opened is not taken for free';
ok((grep { /cannot tell whether another master has the lock of/ } $b->log), 'and the log says so');
$_->stop_workers for $a, $b;
is join(' ', files()), $dead, 'masters that end remove their own files';
unlink "$dir/$dead" or die "unlink: $!";

# --- two at once ----------------------------------------------------------------------------

# The second one's root is the same directory by the other mount.
my $far = Berth::Server->start(root => "$other/store", workers => 1);
$far->stop_workers;
my %ready = map { ($_ => scalar(() = events($_, 'ready'))) } $a, $far;
sub refusals { my ($s) = @_; return scalar grep { /^$refused/ } $s->log }
my %refusals = map { ($_ => refusals($_)) } $a, $far;
$_->launch_workers for $a, $far;
sub is_ready { my ($s) = @_; return (() = events($s, 'ready')) > $ready{$s} }
ok wait_for(sub { !grep { $_->master_alive && !is_ready($_) } $a, $far }), 'two start at once';
my @serve = grep { is_ready($_) } $a, $far;
cmp_ok scalar(@serve), '<=', 1, 'not both serve';
is scalar(grep { refusals($_) > $refusals{$_} } $a, $far), 2 - @serve, 'who does not says why';
$_->stop_workers for @serve;
is join(' ', files()), '', 'no file is left';

# --- one that takes long --------------------------------------------------------------------

my $trace = $a->dir . '/calls';
$a->{wrap} = ['strace', '-f', '-qq', '-ttt', '-y', '-e', 'trace=flock,renameat,renameat2,syncfs,fsync', '-e', 'inject=syncfs:delay_enter=600000000', '-o', $trace];
$a->launch_workers;
ok wait_for { -s $trace && grep { /syncfs\(/ } split /\n/, slurp($trace) }, 'one flushes the store, for minutes';
my ($slow) = files();
$before = number($slow);
ok wait_for { number($slow) gt $before }, 'its number grows meanwhile';
my @calls = traced_calls($trace);
my ($named) = grep { $calls[$_][2] =~ /^renameat/ && $calls[$_][3] =~ m{locks/machines/$slow"} } 0 .. $#calls;
my ($locked) = grep { $calls[$_][2] eq 'flock' && $calls[$_][3] =~ m{berth/tmp/[^>]*>, LOCK_EX} } 0 .. $#calls;
ok defined $named && defined $locked && $locked < $named, 'it was locked before it had its name';
sub flushed { return grep { $_->[2] eq 'fsync' && $_->[3] =~ m{<[^>]*locks/machines/$slow>} } traced_calls($trace) }
is scalar(flushed()), 0, 'nothing is flushed for a machine that is alone';
my $r = run(program('berth-fcgi'), '--root', "$other/store", '--listen', $far->dir . '/w.sock');
is $r->{status}, 1, 'another one that it cannot exclude does not start';
like $r->{err}, qr/^$refused/m, 'because of it';        # its beat may have said something before
cmp_ok scalar(flushed()), '>', 0, 'for that one the number was flushed';
is join(' ', files()), $slow, 'and has removed its own file alone';
# strace would wait as long as it delays the call.
kill KILL => Berth::Server::children($a->{master}), $a->{master};
wait_for { !$a->master_alive };

# --- a client of the file system that answers from a cache ------------------------------------

my $fresh = disk_by_fuse(undef, shared => 1);
my %at = (asks => disk_by_fuse($fresh, shared => 1), caches => disk_by_fuse($fresh, shared => 1, cached => 3600));
my $first = Berth::Server->start(root => "$fresh/store", workers => 1);
for my $how (sort keys %at) {
	my $s = Berth::Server->start(root => "$at{$how}/store", workers => 1);
	my $late = sub { return scalar grep { /sees late what other machines change/ } $s->log };
	if ($how eq 'caches') {
		ok wait_for(sub { $late->() }), 'a machine whose client answers from a cache says so';
	}
	else {
		# By then one that caches would have said so.
		my %seen;
		wait_for { $seen{ slurp($_) } = 1 for glob "$fresh/store/berth/locks/machines/*"; keys(%seen) > 12 };
		is $late->(), 0, 'one whose client asks does not';
	}
	$s->stop_workers;
}
is scalar(grep { /sees late/ } $first->log), 0, 'nor does the one that serves beside them';

done_testing;
