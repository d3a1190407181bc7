# SPDX-License-Identifier: Apache-2.0
#
# Berth::Disk: directories on real file systems of a chosen type, each in an image file below the test's temporary directory.
#
#   my ($ext4, $xfs) = disks(qw(ext4 xfs));         # before anything else that the test does: it begins anew there
#   my $s = Berth::Server->start(root => "$ext4/store");
#
# They are mounted in a mount namespace of the test's own: whatever becomes of the test, nothing stays mounted, and no loop
# device stays taken.
package Berth::Disk;

use strict;
use warnings;

use Exporter 'import';
use POSIX ();

use Berth::Test;

our @EXPORT = qw(disks disk_without_power disk_by_fuse fuse_client);

# By type: the smallest image in MiB, the command that makes the file system, and the type that mount knows.
my %types = (
	'ext4' => { mib => 64, mkfs => ['mkfs.ext4', '-q', '-F', '-m', '0'], mount => 'ext4' },          # with a journal
	'ext4-bare' => { mib => 64, mkfs => ['mkfs.ext4', '-q', '-F', '-m', '0', '-O', '^has_journal'], mount => 'ext4' },
	'btrfs' => { mib => 128, mkfs => ['mkfs.btrfs', '-q', '-f'], mount => 'btrfs' },
	'xfs' => { mib => 320, mkfs => ['mkfs.xfs', '-q', '-f'], mount => 'xfs' },
);

my $owner = $$;
my (%mounted, %client, $top, @fuse);

# disks - a new file system of each type, in order: the directories where they are mounted. A type is a name above, or
#   { type => name, mib => at least so many, options => 'for mount' }
# Where that cannot be, the test is skipped, or fails in CI.
sub disks
{
	my @want = map { ref $_ ? $_ : { type => $_ } } @_;

	own_mounts();
	for my $w (@want) {
		my $t = $types{ $w->{type} } or die "no type of file system: $w->{type}\n";
		need_program($t->{mkfs}[0], 'mount', 'umount');
	}
	return map { disk($_) } @want;
}

sub disk
{
	my ($w) = @_;
	my $t = $types{ $w->{type} };
	my $at = ($top //= tmp_dir()) . '/' . $w->{type} . '.' . keys %mounted;
	my $mib = $t->{mib} > ($w->{mib} // 0) ? $t->{mib} : $w->{mib};

	open my $h, '>', "$at.image" or die "$at.image: $!";
	truncate $h, $mib << 20 or die "$at.image: $!";
	close $h;
	mkdir $at or die "$at: $!";
	succeeds($w, @{ $t->{mkfs} }, "$at.image");
	succeeds($w, 'mount', '-t', $t->{mount}, '-o', join(',', 'loop', $w->{options} // ()), "$at.image", $at);
	$mounted{$at} = 1;
	return $at;
}

# disk_without_power - what a power cut at this moment leaves of a disk: another directory, on which the file system has been mounted
# anew from what it had sent to the disk until now
sub disk_without_power
{
	my ($at) = @_;
	my ($type) = map { $types{$_}{mount} } grep { $at =~ m{/\Q$_\E\.\d+\z} } keys %types;
	my $copy = "$at.copy" . keys %mounted;

	succeeds({ type => $type }, 'cp', '--sparse=always', "$at.image", "$copy.image");
	mkdir $copy or die "$copy: $!";
	succeeds({ type => $type }, 'mount', '-t', $type, '-o', $type eq 'xfs' ? 'loop,nouuid' : 'loop', "$copy.image", $copy);
	$mounted{$copy} = 1;
	return $copy;
}

# disk_by_fuse - a directory of the disk below, as FUSE shows it: of a file system that may belong to several machines
# Given another such directory it shows the same one once more. Locks of one do not reach the other, and what is looked at is kept for a
# second. With shared => 1, for both, they do, and nothing is kept, unless cached => seconds says for how long.
sub disk_by_fuse
{
	my ($same, %o) = @_;

	own_mounts();
	need_program('bindfs', 'setpriv');
	my $at = ($top //= tmp_dir()) . '/fuse.' . @fuse;

	my $below = ($same // $at) . '.below';
	my $kept = $o{cached} // 0;
	my @how = $o{shared} ? ('--multithreaded', '--enable-lock-forwarding', '-o', "attr_timeout=$kept,entry_timeout=$kept") : ();

	mkdir $_ or die "$_: $!" for $at, $same ? () : $below;
	my $device = (stat $at)[0];
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		exec(have_program('setpriv'), '--pdeathsig', 'KILL', have_program('bindfs'), '-f', @how, $below, $at) or POSIX::_exit(127);
	}
	push @fuse, $pid;
	$client{$at} = $pid;
	my $there = wait_for { my @st = stat $at; waitpid($pid, POSIX::WNOHANG()) == $pid ? 'ended' : @st && $st[0] != $device };
	lacking('FUSE can be mounted', 'no FUSE can be mounted here') if $there ne '1';
	$mounted{$at} = 1;
	return $at;
}

# fuse_client - the process behind such a directory
sub fuse_client { my ($at) = @_; return $client{$at} }

sub succeeds
{
	my ($w, $program, @args) = @_;
	my $r = run(have_program($program), @args);

	lacking("$w->{type} can be mounted", "no $w->{type} can be made and mounted here: $r->{err}") if $r->{status};
	return;
}

# What FUSE shows goes when nothing of it is open any more.
END {
	if ($$ == $owner) {
		my $status = $?;
		Berth::Server::stop_all() if @fuse;
		run('umount', '--lazy', $_) for keys %mounted;
		waitpid $_, 0 for @fuse;
		$? = $status;
	}
}

1;
