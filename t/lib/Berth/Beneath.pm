# SPDX-License-Identifier: Apache-2.0
#
# Berth::Beneath: as Berth::OneOfMany, and each change is made in a directory as well, in which other machines see it.
#
#   my $fs = Berth::Beneath->new($snapshot, root => $dir);          # the directory becomes what the snapshot says
#   $fs->lose($choice);                                             # of Berth::PowerCut: the bytes that are lost
#
# Lock files belong to who lives: they stay as they are.
package Berth::Beneath;

use strict;
use warnings;

use Fcntl qw(O_CREAT O_RDWR);

use Berth::OneOfMany;
use Berth::Recording;
use Berth::Test;

our @ISA = ('Berth::OneOfMany');

my $LOCKS = qr{\Aberth/locks/(?!step(?:/|\z))};

sub new
{
	my ($class, $snapshot, %o) = @_;
	my $self = $class->SUPER::new($snapshot, %o);

	lay($o{root}, $snapshot);
	for my $path (grep { !$snapshot->{$_}{dir} && $snapshot->{$_}{bytes} !~ /\A-> / } keys %$snapshot) {
		$self->opened($self->find($path), $path) if -e "$o{root}/$path";
	}
	return $self;
}

# lay - make a directory what a snapshot says. That changes more than berth would change behind the back of one that serves: so all is told that something
# moves, as `berth repo mv` tells it.
sub lay
{
	my ($root, $snapshot) = @_;
	my $is = snapshot($root);

	for my $p (glob("$root/berth/body/*"), map { "$root/$_" } reverse sort grep { !m{$LOCKS} && !same($is->{$_}, $snapshot->{$_}) } keys %$is) {
		remove($p) or die "$p: $!";
	}
	for my $p (grep { !-e "$root/$_" && !-l "$root/$_" } sort keys %$snapshot) {
		my $s = $snapshot->{$p};
		if ($s->{dir}) {
			CORE::mkdir "$root/$p" or die "$root/$p: $!";
		} elsif ($s->{bytes} =~ /\A-> (.*)\z/s) {
			CORE::symlink $1, "$root/$p" or die "$root/$p: $!";
		} else {
			spew("$root/$p", $s->{bytes});
		}
	}
	CORE::truncate "$root/berth/locks/run", 1 + -s "$root/berth/locks/run" or die "truncate: $!";
	return;
}

sub same
{
	my ($is, $ought) = @_;

	return $ought && ($is->{dir} ? $ought->{dir} : !$ought->{dir} && $ought->{bytes} eq $is->{bytes});
}

sub remove { my ($path) = @_; return lstat $path && -d _ ? CORE::rmdir($path) : CORE::unlink($path) }
sub at { my ($self, $path) = @_; return "$self->{root}/$path" }

sub opened
{
	my ($self, $i, $path) = @_;

	sysopen $self->{opened}{$i}, $self->at($path), O_RDWR | O_CREAT or die "$path: $!";
	$self->{path}{$i} = $path;
	return $i;
}

sub create { my ($self, $path) = @_; return $self->opened($self->SUPER::create($path), $path) }

sub done
{
	my ($self, $ok, @paths) = @_;

	$ok or die "@paths: $!\n";
	return;
}

# is_theirs - who lives has locks, too: it makes their files, and removes what others left in their step directories
sub is_theirs { return $_[0] =~ m{\Aberth/locks/} }

sub mkdir { my ($self, $path) = @_; $self->SUPER::mkdir($path); return $self->done(CORE::mkdir($self->at($path)) || is_theirs($path), $path) }
sub unlink { my ($self, $path) = @_; $self->SUPER::unlink($path); return $self->done(remove($self->at($path)) || is_theirs($path), $path) }
sub link { my ($self, @two) = @_; $self->SUPER::link(@two); return $self->done(CORE::link($self->at($two[0]), $self->at($two[1])), @two) }
sub rename { my ($self, @two) = @_; $self->SUPER::rename(@two); return $self->done(CORE::rename($self->at($two[0]), $self->at($two[1])), @two) }

# Nobody looks while it is done.
sub exchange
{
	my ($self, @two) = @_;
	my ($a, $b, $c) = map { $self->at($_) } @two, 'berth/tmp/exchanged';

	$self->SUPER::exchange(@two);
	return $self->done(CORE::rename($a, $c) && CORE::rename($b, $a) && CORE::rename($c, $b), @two);
}

# hold - the real file has these bytes
sub hold
{
	my ($self, $i, $bytes) = @_;
	my $h = $self->{opened}{$i} // die "a file without a name\n";

	if ($bytes =~ /\A-> (.*)\z/s) {
		my $real = $self->at($self->{path}{$i});
		CORE::unlink $real;
		return $self->done(CORE::symlink($1, $real), $real);
	}
	sysseek $h, 0, 0 or die "seek: $!";
	CORE::truncate $h, length $bytes or die "truncate: $!";
	defined syswrite $h, $bytes or die "write: $!";
	return;
}

sub set_bytes
{
	my ($self, $i, $bytes) = @_;

	$self->SUPER::set_bytes($i, $bytes);
	return $self->hold($i, $bytes);
}

sub lose
{
	my ($self, $choice) = @_;

	$self->hold($_, Berth::PowerCut::content($choice->[1]{$_} // $self->{inodes}[$_]{disk})) for keys %{ $self->{dirty} };
	return;
}

1;
