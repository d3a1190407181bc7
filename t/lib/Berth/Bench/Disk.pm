# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Disk: a file system with a journal for the stores that are pushed to. What a flush costs depends on it, and
# the working directory may lie on one that nobody has in production. It is an image in a file, mounted by a loop device in
# a mount namespace of this run's own: whatever becomes of the run, nothing stays mounted.
package Berth::Bench::Disk;

use strict;
use warnings;

use Berth::Test;

my $MARK = 'BERTH_BENCH_MOUNTS';
my $GIB = 12;           # of the image; it is sparse
my %MKFS = (
	# every image that is pushed has some forty files and directories
	ext4 => [qw(mkfs.ext4 -q -F -i 4096)],
	xfs => [qw(mkfs.xfs -q -f)],
);
my %OPTIONS = (ext4 => 'noinit_itable', xfs => 'defaults');        # no thread that writes tables of inodes beside a measurement

sub kinds { return sort keys %MKFS }

# impossible - why there can be none; nothing where one can be made
sub impossible
{
	my ($kind) = @_;

	return 'it takes root' if $> != 0;
	return "there is no $MKFS{$kind}[0]" if !have_program($MKFS{$kind}[0]);
	return 'there is no losetup' if !have_program('losetup');
	return 'no file system can be mounted here' if run('unshare', '--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt')->{status};
	return;
}

# enter - goes on in a namespace of its own: this program begins again, with the words that it was given
sub enter
{
	my ($program, @words) = @_;

	return if $ENV{$MARK};
	$ENV{$MARK} = 1;
	exec 'unshare', '--mount', '--propagation', 'private', $^X, $program, @words or die "unshare: $!\n";
}

# new - asked: whether somebody wants this one and no other
sub new { my ($class, $kind, $asked) = @_; return bless { kind => $kind, asked => $asked }, $class }
sub asked { return $_[0]{asked} }

sub command
{
	my $r = run(@_);

	die "$_[0]: $r->{err}" if $r->{status};
	return $r->{out} =~ s/\s+\z//r;
}

# dir - where it is mounted; made when it is first asked for
sub dir
{
	my ($self, $b) = @_;
	my $kind = $self->{kind};
	my ($image, $dir) = ("$b->{dir}/disk.image", "$b->{dir}/disk");

	return $dir if $self->{mounted};
	open my $fh, '>', $image or die "$image: $!";
	truncate $fh, int($GIB * ($b->{scale} < 0.2 ? 0.2 : $b->{scale})) << 30 or die "$image: $!";
	close $fh or die "$image: $!";
	command(@{ $MKFS{$kind} }, $image);
	mkdir $dir;
	# past the cache of the file below, as a disk would be; some file systems cannot do that
	my $loop = eval { command('losetup', '--direct-io=on', '--show', '--find', $image) } // command('losetup', '--show', '--find', $image);
	eval { command('mount', '-o', $OPTIONS{$kind}, $loop, $dir); 1 } or do { my $why = $@; run('losetup', '--detach', $loop); die $why };
	command('losetup', '--detach', $loop);          # when it is unmounted
	chmod 0755, $dir;
	$self->{mounted} = $dir;
	return $dir;
}

sub words { my ($self) = @_; return "$self->{kind} with a journal, in an image of its own" }

sub release
{
	my ($self) = @_;
	my $dir = delete $self->{mounted} or return;

	run('umount', '--lazy', $dir) if run('umount', $dir)->{status};
	return;
}

1;
