# SPDX-License-Identifier: Apache-2.0
#
# Berth::Older: a version that was released before, built from the history of this checkout, and kept in the build's cache.
#
#   my $old = Berth::Older->build('1.0.0');                 # where there is no history, as in a tarball, the test is skipped, or fails in CI
#   my $s = Berth::Server->start(older => $old, root => $root);
#   run($old->program('berth'), '--root', $root, 'fsck');
package Berth::Older;

use strict;
use warnings;

use Fcntl qw(:flock);

use Berth::Test qw(build_dir lacking need_program run source_dir);

my $MAKE = <<'SCRIPT';
rm -rf "$1.new" && mkdir -p "$1.new/source" "$1.new/build" && cd "$1.new" &&
git -C "$2" -c safe.directory="$2" archive "$3" | tar -x -C source && rm -rf source/t/[0-9]* &&
(cd source && autoreconf -i) && cd build && ../source/configure CFLAGS='-O1 -w' && make -j 2 berth berth-fcgi && mv "$1.new" "$1"
SCRIPT

sub program { my ($self, $name) = @_; return "$self->{dir}/build/$name" }
sub source { return "$_[0]{dir}/source" }

# The commit with which configure.ac got this version.
sub commit_of
{
	my ($version) = @_;
	my $r = run({ timeout => 120 }, 'git', '-C', source_dir(), '-c', 'safe.directory=' . source_dir(), 'log', '--format=%H', '--reverse', "-SAC_INIT([berth], [$version])", '--', 'configure.ac');

	return !$r->{status} && $r->{out} =~ /^([0-9a-f]{40})$/m ? $1 : undef;
}

sub build
{
	my ($class, $version) = @_;

	lacking('the history of this checkout is there', 'a tarball has none') if !-e source_dir() . '/.git';
	need_program('git', 'autoreconf', 'make');
	my $commit = commit_of($version);
	lacking("the history goes back to version $version", 'it does not: fetch all of it') if !$commit;
	mkdir build_dir() . '/cache';
	my $self = bless { dir => build_dir() . "/cache/berth-$version-" . substr $commit, 0, 12 }, $class;
	open my $lock, '>>', "$self->{dir}.lock" or die "$self->{dir}.lock: $!";
	flock $lock, LOCK_EX or die "flock: $!";
	return $self if -x $self->program('berth-fcgi');
	my $r = run({ timeout => 1200 }, 'sh', '-c', $MAKE, 'sh', $self->{dir}, source_dir(), $commit);
	die "the older version cannot be built:\n" . substr($r->{out}, -2000) . substr($r->{err}, -2000) if $r->{status};
	return $self;
}

1;
