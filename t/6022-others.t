#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Other users of the machine: a new store is not for them, and no store lets them lock. What was there keeps its modes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find ();
use POSIX ();
use Berth::Test;

need_program(qw(setpriv flock));
lacking('it is run by root', 'it becomes other users, which takes root') if $> != 0;
my $uid = 54321;
lacking('the build can be reached by others', 'other users cannot reach the build directory')
	if run('setpriv', "--reuid=$uid", "--regid=$uid", '--clear-groups', '--', 'test', '-x', program('berth-fcgi'))->{status};

# as USER, GROUP, COMMAND... - its exit status
sub as { my ($user, $group, @cmd) = @_; return run('setpriv', "--reuid=$user", "--regid=$group", '--clear-groups', '--', @cmd)->{status} }
sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }

# served(ROOT, UID, UMASK) - start on it, push an image, stop; { log => [events], blob => path }
sub served
{
	my ($root, $as, $umask) = @_;
	my ($r) = run_parallel(1, sub {
		umask $umask;
		if ($as) {
			$) = "$as $as";
			POSIX::setgid($as);
			POSIX::setuid($as);
		}
		my $s = Berth::Server->start(workers => 1, root => $root);
		my ($digest) = $s->push_image('a/b', 't');
		my %r = (log => [ grep { $_->{event} eq 'open_store' } $s->log_events ], blob => $s->blob_path($digest));
		$s->stop;
		return \%r;
	});
	die $r->{died} if $r->{died};
	return $r;
}

# What every user may write
sub writable
{
	my ($root) = @_;
	my @found;

	File::Find::find({ no_chdir => 1, wanted => sub { my @st = lstat; push @found, $_ if @st && !-l _ && $st[2] & 02 } }, $root);
	return join ' ', @found;
}

for my $as (0, $uid) {
	for my $umask (0022, 0000, 0077) {
		my $who = ($as ? 'somebody' : 'root') . sprintf ' with umask %03o', $umask;
		my $top = tmp_dir();

		chmod 0755, $top;
		chown $as, $as, $top;
		my $root = "$top/a/store";
		my $r = served($root, $as, $umask);
		my $want = $umask == 0077 ? '0700' : '0750';
		is join(' ', map { mode("$root/$_") } '', 'docker', 'berth', 'berth/locks'), join(' ', ($want) x 4), "a first start of $who makes a closed store";
		is writable($root), '', '... in which every user may write nothing';
		is_deeply $r->{log}, [], '... of which nothing is to be said';
		for my $file (glob("$root/berth/locks/*"), $r->{blob}) {
			next if -d $file;
			my $name = substr $file, 1 + length $root;
			isnt as(65534, 65534, 'flock', '-n', '-s', $file, 'true'), 0, "... nobody else locks $name";
			isnt as(65534, 65534, 'cat', $file), 0, '... or reads it';
		}
		is as(65534, $as, 'cat', $r->{blob}), $umask == 0077 ? 1 : 0, '... the group reads, unless the umask says otherwise';
		# the root alone is somebody's own work
		chmod 0755, $root;
		isnt as(65534, 65534, 'cat', $r->{blob}), 0, '... with an open root it is as closed';
		is_deeply served($root, $as, $umask)->{log}, [], '... and nothing is to be said';
	}
}

# --- one that was there, open to all
for my $as (0, $uid) {
	my $root = tmp_dir() . '/store';
	chmod 0755, $root =~ s{/store$}{}r;
	mkdir $root;
	chown $as, $as, $root;
	served($root, $as, 0022);
	chmod 0755, $root, map { "$root/$_" } 'docker', 'berth', 'berth/locks';
	my $r = served($root, $as, 0000);
	is join(' ', map { mode("$root/$_") } '', 'docker', 'berth', 'berth/locks'), '0755 0755 0755 0750', 'a store that was open stays so, but for its locks';
	is scalar @{ $r->{log} }, 1, '... of which one line tells';
	like $r->{log}[0]{message} // '', qr/^every user of this machine can read what is in \Q$root\E, .*`chmod o= \Q$root\E`/, '... and what to do';
	is writable($root), '', '... and with umask 000 nothing in it becomes writable for all';
	is as(65534, 65534, 'cat', $r->{blob}), 0, '... what is pushed to it is read by whoever could read it before';
	isnt as(65534, 65534, 'flock', '-n', "$root/berth/locks/turnstile", 'true'), 0, '... and its locks are nobody else\'s';
	chmod 0750, $root;
	$r = served($root, $as, 0022);
	is_deeply $r->{log}, [], 'once it is closed nothing is to be said';
	isnt as(65534, 65534, 'cat', $r->{blob}), 0, '... and nobody else reads it';
}

# --- locks that are somebody else's
my $root = tmp_dir() . '/store';
chmod 0755, $root =~ s{/store$}{}r;
mkdir $root;
served($root, 0, 0022);
run_ok('chown', '-R', $uid, $root, 'a store is given to somebody');
chmod 0777, "$root/berth/locks";
chmod 0755, "$root/berth";
chown 0, 0, "$root/berth/locks";
is scalar @{ served($root, $uid, 0022)->{log} }, 1, 'locks that berth cannot close are told of';

done_testing;
