# SPDX-License-Identifier: Apache-2.0
#
# Berth::Image: a bare Debian, and berth's images made on it. Both take a while, and containers can't pull: so the base
# is kept as a tar below the build directory, and so are the images as long as what they are made of stays the same. Whoever
# comes first makes them, and others wait: so tests that need the images do not have neighbouring numbers.
#
#   my $tar = Berth::Image::base_tar();       # by docker/base
#   Berth::Image::load($d);                   # debian:bookworm-slim, berth, berth-fcgi, berth-nginx in that daemon
package Berth::Image;

use strict;
use warnings;

use Digest::SHA ();
use Fcntl qw(:flock);
use File::Find ();

use Berth::Test;

my @context = qw(configure.ac Makefile.am sources.am .dockerignore m4 src nginx systemd docker doc scripts/lib/packages.sh);

# The lock is held until the program ends.
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
	need_program('debootstrap');
	my $tar = cache('base.tar');
	my $script = source_dir() . '/docker/base';

	if (!kept($tar, sha256(slurp($script)))) {
		my $r = run({ timeout => 900 }, $script, '--tar', $tar);
		die "docker/base: status $r->{status}: $r->{err}" if $r->{status};
		spew("$tar.sum", sha256(slurp($script)));
	}
	flock $lock{'base.tar'}, LOCK_UN;
	return $tar;
}

# Of all that goes into the images.
sub context_sum
{
	my $sha = Digest::SHA->new(256);
	my @files;

	File::Find::find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, map { source_dir() . "/$_" } @context);
	for my $file (sort grep { !/~$|\.o$/ } @files) {
		$sha->add($file, "\0", -x $file ? 'x' : '-', slurp($file), "\0");
	}
	return $sha->hexdigest;
}

sub load
{
	my ($d) = @_;
	my $base = base_tar();
	my $tar = cache('images.tar');
	my $sum = context_sum();
	my @names = qw(berth berth-fcgi berth-nginx);

	if (kept($tar, $sum)) {
		my ($rc, $said) = $d->docker('load', '-i', $tar);
		die "docker load: $said" if $rc;
	} else {
		my ($rc, $said) = $d->docker('import', '-c', 'CMD ["bash"]', $base, 'debian:bookworm-slim');
		for my $name (@names) {
			last if $rc;
			my $target = $name eq 'berth' ? 'berth' : $name =~ s/^berth-//r;
			($rc, $said) = $d->docker({ timeout => 900 }, 'build', '-q', '-t', $name, '--target', $target,
				'-f', source_dir() . '/docker/Dockerfile', source_dir());
		}
		die "docker: $said" if $rc;
		($rc, $said) = $d->docker('save', '-o', "$tar.new", 'debian:bookworm-slim', @names);
		die "docker save: $said" if $rc;
		rename "$tar.new", $tar or die "$tar: $!";
		spew("$tar.sum", $sum);
	}
	flock $lock{'images.tar'}, LOCK_UN;
	return @names;
}

1;
