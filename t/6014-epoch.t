#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The beginning of an epoch: one flush of the whole file system where that reaches everything, else one of each directory; and
# whoever waited for a master that died on the way begins one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl ':flock';
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');

my $s = Berth::Server->start(config => "delete = true;\n", workers => 1);
my $trace = $s->dir . '/calls';
my $epoch = $s->root . '/berth/index/_epoch';

# The flushes of a start, and the epoch's removal and coming among them.
sub start_with
{
	my (@words) = @_;

	unlink $trace;
	$s->{wrap} = ['strace', '-f', '-qq', '-ttt', '-y', '-e', 'trace=fsync,syncfs,fstatfs,unlinkat,renameat,execve', @words, '-o', $trace];
	$s->start_workers;
	my @calls = map { "$_->[2] $_->[3]" } traced_calls($trace);
	my @told;
	for (@calls) {
		push @told, 'syncfs' if /^syncfs/;
		push @told, 'fsync' if /^fsync/;
		push @told, 'gone' if /^unlinkat.*"berth\/index\/_epoch"/;
		push @told, 'there' if /^renameat.*"berth\/index\/_epoch"/;
	}
	return join ' ', @told;
}

my $old = slurp($epoch);
$s->stop_workers;
is start_with(), 'gone syncfs there', 'an epoch begins: the old one is gone, all is flushed at once, the new one is there';
isnt slurp($epoch), $old, 'it is another one';
$s->stop_workers;
my $told = start_with('-e', 'inject=fstatfs:error=EIO');
like $told, qr/^gone (?:fsync ){10}syncfs fsync there fsync(?: fsync)*$/, 'on a file system that nobody knows each is flushed by itself' or diag($told);
$s->stop_workers;

# One that died while it began one: the lock is held, the old epoch gone, the new one not there.
open my $lock, '+<', $s->root . '/berth/locks/serving' or die "berth/locks/serving: $!";
flock $lock, LOCK_EX or die "flock: $!";
unlink $epoch;
$s->{wrap} = ['strace', '-f', '-qq', '-ttt', '-y', '-e', 'trace=fsync,syncfs,flock', '-o', $trace];
unlink $trace;
$s->launch_workers;
ok wait_for(sub { -s $trace && grep { /flock\(\d+<[^>]*serving>, LOCK_SH\b/ } split /\n/, slurp($trace) }), 'a master waits for another one';
close $lock;
ok wait_for(sub { -s $epoch }), 'that has died: it begins the epoch itself';
ok wait_for(sub { grep { $_->[2] eq 'syncfs' } traced_calls($trace) }), 'and flushes what is there';
is $s->req('GET', '/v2/')->status, 200, 'and serves';
($s->{real_master}) = Berth::Server::children($s->{master});      # what ends it is for the master, not for strace

# What a power cut has torn counts in no epoch: also where nobody has read it before the first push.
$s->stop_workers;
$s->{wrap} = [];
spew($s->root . '/berth/index/_catalog/root', "1 9\n1 \n2 m\n2 b\n");
$s->start_workers;
is $s->req('POST', '/v2/after/power/cut/blobs/uploads/?digest=' . sha256('x'), body => 'x')->status, 201, 'a push to a new repository, with a torn catalog of an older epoch';
ok grep({ $_ eq 'after/power/cut' } @{ $s->req('GET', '/v2/_catalog')->json->{repositories} }), 'which is listed';
spew($s->root . '/berth/index/_catalog/root', "1 9\n1 \n2 m\n2 b\n");
is $s->req('POST', '/v2/new/again/blobs/uploads/?digest=' . sha256('x'), body => 'x')->status, 500, 'one that is damaged while it counts is not believed, and not mended by itself';

done_testing;
