# SPDX-License-Identifier: Apache-2.0
#
# Berth::Image: bare Debians, and berth's image, made of them. Containers here cannot pull, and making both takes minutes. Therefore
# the bases are cached as tars below the build directory, and so are the images as long as their sources stay the same. The first
# test makes them while others that need them wait; therefore scripts/test does not begin such tests together.
#
#   Berth::Image::load($d);                          # berth, of debian:trixie-slim, and berth-on-bookworm
#   my $base = Berth::Image::base($d, 'bookworm');   # debian:bookworm-slim alone
package Berth::Image;

use strict;
use warnings;

use Digest::SHA ();
use Fcntl qw(:flock);
use File::Find ();

use Berth::Test;

# Each image, and the release of Debian that it is made of.
my @images = (['berth', 'trixie'], ['berth-on-bookworm', 'bookworm']);

# The open lock files, by the names of what they protect.
my %lock;

sub cache
{
	my ($name) = @_;
	my $dir = build_dir() . '/cache';

	mkdir $dir;
	open $lock{$name}, '>>', "$dir/$name.lock" or die "$dir/$name.lock: $!";
	flock $lock{$name}, LOCK_EX;
	return "$dir/$name";
}

sub kept { return -e $_[0] && -e "$_[0].sum" && slurp("$_[0].sum") eq $_[1] }

sub base_tar
{
	my ($suite) = @_;

	need_program('debootstrap');
	my $name = "base-$suite.tar";
	my $tar = cache($name);
	my $script = source_dir() . '/docker/base';

	if (!kept($tar, sha256(slurp($script)))) {
		my $r = run({ timeout => 1800 }, $script, '--suite', $suite, '--tar', $tar);
		die "docker/base: status $r->{status}: $r->{err}" if $r->{status};
		spew("$tar.sum", sha256(slurp($script)));
	}
	flock $lock{$name}, LOCK_UN;
	return $tar;
}

# Imports a bare Debian into that daemon. -> the image's name
sub base
{
	my ($d, $suite) = @_;
	my ($rc, $said) = $d->docker('import', '-c', 'CMD ["bash"]', base_tar($suite), "debian:$suite-slim");

	die "docker import: $said" if $rc;
	return "debian:$suite-slim";
}

# with_library - the library that the page is drawn with, in the place where a source that is built without a network carries it
sub with_library
{
	my ($file) = @_;
	my $r = run(source_dir() . '/scripts/web', '--fetch', $file);

	Test::More::diag($r->{err}) if $r->{status};
	return;
}

# A hash of everything that goes into the images: .dockerignore excepts it from what docker ignores.
sub context_sum
{
	my @context = slurp(source_dir() . '/.dockerignore') =~ /^!(.+)$/mg;
	my $sha = Digest::SHA->new(256);
	my @files;

	File::Find::find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, map { source_dir() . "/$_" } @context, 'docker/Dockerfile');
	for my $file (sort grep { !/~$|\.o$/ } @files) {
		$sha->add($file, "\0", -x $file ? 'x' : '-', slurp($file), "\0");
	}
	return $sha->hexdigest;
}

# -> the names of berth's images
sub load
{
	my ($d) = @_;
	my $tar = cache('images.tar');
	with_library(source_dir() . '/web/htm.tgz');
	my $sum = context_sum();
	my @names = map { $_->[0] } @images;

	if (kept($tar, $sum)) {
		my ($rc, $said) = $d->docker('load', '-i', $tar);
		die "docker load: $said" if $rc;
	} else {
		my %base;
		for (@images) {
			my ($name, $suite) = @$_;
			$base{$suite} //= base($d, $suite);
			my ($rc, $said) = $d->docker({ timeout => 1800 }, 'build', '-q', '-t', $name,
				$suite eq 'trixie' ? () : ('--build-arg', "BASE=$base{$suite}", '--build-arg', 'CFLAGS=-O0'), '-f', source_dir() . '/docker/Dockerfile', source_dir());
			die "docker build: $said" if $rc;
		}
		my ($rc, $said) = $d->docker('save', '-o', "$tar.new", @names);
		die "docker save: $said" if $rc;
		rename "$tar.new", $tar or die "$tar: $!";
		spew("$tar.sum", $sum);
	}
	flock $lock{'images.tar'}, LOCK_UN;
	return @names;
}

1;
