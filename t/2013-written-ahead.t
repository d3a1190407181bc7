#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A process beside the workers has the disk write a large body while nginx still receives it. It costs nothing where there is none,
# touches nothing else, and whatever becomes of it, uploads succeed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');

my $s = Berth::Server->start(workers => 2);
# its pid, when it watches; before that it does other things
sub watching { my $pid = $s->writeout_pid // return; return (grep { (content_of($_) // '') =~ /^inotify wd/m } glob "/proc/$pid/fdinfo/*") && $pid }
my $pid = wait_for { watching() };
ok $pid, 'it runs';
is scalar(grep { $_ == $pid } $s->worker_pids), 0, 'and is no worker';

# traced(code) - what strace writes of it while the code runs
sub traced
{
	my ($code) = @_;

	return Berth::Trace::trace_of_pids([$pid], ['-y', '-ttt'], $s->dir . '/ahead.' . rand, $code);
}

my $file = traced(sub {
	for (1 .. 20) {
		$s->req('GET', $_) for '/v2/', '/v2/a/tags/list', '/v2/_catalog', '/v2/a/manifests/x';
	}
	push_manifest_of_nothing();
});
is scalar(() = traced_calls($file)), 0, 'pulls, lists and manifests cost it no system call';

# push_manifest_of_nothing - a body that is not spooled below berth/body/
sub push_manifest_of_nothing { return $s->push_manifest('a', 'x', '{}', OCI_MANIFEST)->status }

$file = traced(sub { $s->push_blob('small/app', random_bytes(300_000) . $_) for 1 .. 20 });
my @calls = traced_calls($file);
is scalar(grep { $_->[2] eq 'sync_file_range' } @calls), 0, 'small blobs are left to the workers';
is scalar(grep { $_->[2] =~ /^open/ } @calls), 0, 'and not even opened';
cmp_ok scalar(grep { $_->[2] eq 'read' } @calls), '<=', scalar(grep { $_->[2] =~ /nanosleep/ } @calls) + 1, 'it sleeps after each look';

# A large body that does not end: what has come is written meanwhile. 8 MiB is a piece.
my $bytes = random_bytes(1 << 20) x 21;
my $digest = sha256($bytes);
my ($sock, $loc);
my $asked = sub { return map { $_->[3] =~ m{^\d+<\Q@{[ $s->root ]}\E/berth/body/\d+>, 0, (\d+), SYNC_FILE_RANGE_WRITE$} ? $1 : "other: $_->[3]" } grep { $_->[2] eq 'sync_file_range' } traced_calls($_[0]) };
my @opened;
$file = traced(sub {
	my ($trace) = @_;
	$loc = upload_start($s, 'large/app');
	$sock = $s->sock;
	print {$sock} "PUT $loc?digest=$digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " . length($bytes) . "\r\n\r\n", substr $bytes, 0, 20 << 20;
	$sock->flush;
	ok wait_for { grep { $_ eq 16 << 20 } $asked->($trace) }, 'two whole pieces of a body of which 20 MiB have come are written ahead';
	wait_for { @opened = grep { (readlink $_ // '') =~ m{/berth/body/} } glob "/proc/$pid/fd/*"; !@opened };
});
is scalar(@opened), 0, 'it holds no body open';
is join(' ', grep { /^other/ } $asked->($file)), '', 'it asks for whole pieces from the beginning of a body, and waits for nothing';
my @names = grep { $_->[2] =~ /^open/ } traced_calls($file);
ok @names > 0, 'it opens bodies';
is join(' ', grep { $_->[3] !~ /O_NOFOLLOW/ || $_->[3] =~ /O_(?:RDWR|WRONLY|CREAT)/ } @names), '', 'for reading, and no link';
print {$sock} substr $bytes, 20 << 20;
$sock->flush;
is read_response($sock)->status, 201, 'the push ends as ever';
is $s->req('GET', "/v2/large/app/blobs/$digest")->body eq $bytes, 1, 'with all its bytes';

# What has a body's name and is none: it grows as a file, and is something else when it is looked at.
my $body = $s->root . '/berth/body';
wait_for { !(() = glob "$body/*") } or die 'the body of the push stays';        # nginx removes it after its answer
my $outside = spew($s->dir . '/outside', 'x' x (9 << 20));
for (
	['a symbolic link', sub { symlink $outside, $_[0] or die $! }, sub { unlink $_[0] }],
	['a FIFO', sub { POSIX::mkfifo($_[0], 0600) or die $! }, sub { unlink $_[0] }],
	['a directory', sub { mkdir $_[0] or die $! }, sub { rmdir $_[0] }],
) {
	my ($what, $make, $remove) = @$_;
	my $path = "$body/0000000000";

	$file = traced(sub {
		my ($trace) = @_;
		kill STOP => $pid;
		spew($path, 'x' x (9 << 20));
		unlink $path;
		$make->($path);
		kill CONT => $pid;
		ok wait_for { slurp($trace) =~ /statx\(/ }, "$what is looked at";
		$s->push_blob('small/app', "after $what");
		wait_for { () = slurp($trace) =~ /nanosleep\(/g };
	});
	is scalar(grep { $_->[2] eq 'sync_file_range' } traced_calls($file)), 0, "$what in place of a body is not touched";
	$remove->($path);
}

# It dies, and is there again; it ends with the master; a configuration in which nothing is flushed has none.
kill KILL => $pid;
ok wait_for { my $now = $s->writeout_pid; $now && $now != $pid }, 'when it is killed the master begins it again';
ok((grep { $_->{event} eq 'writeout' && $_->{message} =~ /signal 9/ } $s->log_events), 'and the log says so');
ok $s->push_blob('large/app', random_bytes(1 << 20) x 9), 'a large push succeeds';
for (['fsync = "off";', 0], ['', 1], ['readonly = true;', 0], ['fsync = "full";', 1]) {
	my ($config, $wanted) = @$_;
	$s->config("$config\n");
	$s->reload;
	ok wait_for { !!$s->writeout_pid == !!$wanted }, $wanted ? "it runs with '$config'" : "there is none with $config";
}
$pid = $s->writeout_pid;
$s->reload;
ok wait_for { my $now = $s->writeout_pid; $now && $now != $pid }, 'after a reload it has the new configuration';
$pid = wait_for { watching() };
wait_for { rmdir $body } or die "$body: $!";
ok wait_for { grep { $_->{event} eq 'writeout' && $_->{message} =~ m{^berth/body has gone} } $s->log_events }, 'where there is nothing to watch it says so';
mkdir $body;
$s->reload;
ok wait_for { my $now = $s->writeout_pid; $now && $now != $pid }, 'and is there again when there is';
$s->stop_workers;
ok wait_for { !kill 0, $pid }, 'it ends with the master';
$s->start_workers;
$pid = wait_for { $s->writeout_pid };
kill KILL => $s->master_pid;
# (its parent is gone, so it may stay as a zombie where nobody waits for it)
ok wait_for { (eval { slurp("/proc/$pid/stat") } // ') Z') =~ /\) Z/ }, 'also where that is killed';

done_testing;
