# SPDX-License-Identifier: Apache-2.0
#
# Berth::Journal: a Berth::PowerCut that keeps the order of changes, as ext4 with a journal and XFS do.
#
# The rules, as harsh as those two allow:
# - A power cut leaves the changes of names up to some moment, and none that was made later.
# - A flush of a file or directory takes that moment up to the last change that concerned it itself: its creation, another
#   size, new times, a name in it. So what nobody has changed since commits nothing. fdatasync does not count new times. A link
#   to a file, and bytes written over others, are no change of it.
# - Bytes that were not flushed are as in Berth::PowerCut, or as many as a page, whatever moment is left.
# - But what a waiting sync_file_range has written is there in each state that has any change after it, of whatever file. In
#   a state without one it may be there or not.
package Berth::Journal;

use strict;
use warnings;

use parent -norequire, 'Berth::PowerCut';

use Berth::PowerCut;

my $PAGE = 4096;

# change - and who it concerned: { number => time on the clock that counts all changes }
sub change
{
	my ($self, $what, @sets) = @_;

	$self->SUPER::change($what, @sets);
	$self->concerns($_->[0]) for @sets;
	$self->concerns($sets[0][2]) if $what =~ /\A(?:create|mkdir) /;
	return;
}

sub concerns { my ($self, $i) = @_; $self->{own}{$i} = $self->{own_data}{$i} = $self->{clock}; return }
sub touch { my ($self, $i) = @_; $self->{own}{$i} = ++$self->{clock}; return }

sub set_bytes
{
	my ($self, $i, $bytes) = @_;
	my $same = length $bytes == length $self->bytes($i);

	$self->SUPER::set_bytes($i, $bytes);
	return if $same;
	$self->{clock}++;
	$self->concerns($i);
	return;
}

# So many bytes from the first on are written out.
sub least { my ($self, $i, $size) = @_; my $out = \$self->{out}{$i}; $$out = $size if ($$out // 0) > $size; return }
sub write { my ($self, $i, $off, $new) = @_; $self->least($i, $off) if !Berth::PowerCut::is_mark($self->bytes($i), $off, $new); return $self->SUPER::write($i, $off, $new) }
sub truncate { my ($self, $i, $size) = @_; $self->least($i, $size); return $self->SUPER::truncate($i, $size) }

# written_out - a waiting sync_file_range has ended; size 0: to the end of the file
sub written_out
{
	my ($self, $i, $off, $size) = @_;
	my $f = $self->{inodes}[$i];
	my $to = $size ? $off + $size : length $self->bytes($i);
	my $out = \$self->{out}{$i};

	return if $off > ($$out // 0);
	$$out = $to if $to > ($$out // 0);
	push @{ $f->{out} }, [++$self->{clock}, $f->{writes}] if $$out >= length $self->bytes($i);
	return;
}

sub begin
{
	my ($self, $i) = @_;

	return { own => $self->{own}{$i} // 0, own_data => $self->{own_data}{$i} // 0, writes => $self->{inodes}[$i]{writes} };
}

# up_to - all that was changed until then is on disk
sub up_to
{
	my ($self, $moment) = @_;

	for my $i (keys %{ $self->{dirty} }) {
		$self->saved($i, $self->written_at($i, $moment));
	}
	return $self->commit(map { $_->{at} <= $moment } @{ $self->{pending} });
}

# written_at - with all changes up to then on disk: how many writes of this file are there as well
sub written_at
{
	my ($self, $i, $moment) = @_;
	my $f = $self->{inodes}[$i];
	my $n = $f->{saved};

	for (grep { $_->[0] <= $moment } @{ $f->{out} // [] }) {
		$n = $_->[1] if $_->[1] > $n;
	}
	return $n;
}

sub flush
{
	my ($self, $i, $moment, $begun) = @_;

	$self->saved($i, $begun->{writes}) if !$self->{inodes}[$i]{dir};
	return $self->up_to($moment);
}

sub fsync { my ($self, $i, $begun) = @_; $begun //= $self->begin($i); return $self->flush($i, $begun->{own}, $begun) }
sub fdatasync { my ($self, $i, $begun) = @_; $begun //= $self->begin($i); return $self->flush($i, $begun->{own_data}, $begun) }

sub syncfs
{
	my ($self) = @_;

	$self->saved($_, $self->{inodes}[$_]{writes}) for keys %{ $self->{dirty} };
	return $self->up_to($self->{clock});
}

# What a file's bytes may be in a state with the changes up to a moment: as they are now first, the least last.
sub variants
{
	my ($self, $i, $moment) = @_;
	my $f = $self->{inodes}[$i];
	my $there = $self->written_at($i, $moment) - $f->{saved};
	my @versions = ($f->{disk}, @{ $f->{between} }, $f->{mem});
	my ($least, @later) = @versions[$there .. $#versions];
	my $now = Berth::PowerCut::content($f->{mem});
	my $was = Berth::PowerCut::content($least);
	my $kept = Berth::PowerCut::kept_of($f, $now, $was);
	my %seen;

	return $least if !@later;
	return grep { !$seen{$_}++ } reverse(@later), (map { Berth::PowerCut::intern($_) } substr($now, 0, $kept) . "\0" x (length($now) - $kept),
		$kept < $PAGE && length $now > $PAGE ? substr($now, 0, $PAGE) : ()), $least;
}

# state - the tree with the changes up to a moment
sub state
{
	my ($self, $moment, $bytes) = @_;

	return $self->SUPER::state([map { $_->{at} <= $moment } @{ $self->{pending} }], $bytes);
}

sub now
{
	my ($self) = @_;

	return $self->state($self->{clock}, { map { ($_ => $self->{inodes}[$_]{mem}) } keys %{ $self->{dirty} } });
}

# paths_at - a path of each file that the changes up to a moment leave a name
sub paths_at
{
	my ($self, $moment) = @_;
	my $inodes = $self->{inodes};
	my $at = $self->state($moment, { map { ($_ => "i$_") } 0 .. $#$inodes });

	return { map { $at->{$_} =~ /\Ai(\d+)\z/ ? ($1 => $_) : () } keys %$at };
}

# choices - [moment, bytes]: with all changes, and with fewer; all moments where the last of them matter
sub choices
{
	my ($self, $sample, $last) = @_;
	my @moments = (0, grep { $_ < $self->{clock} } map { $_->{scratch} || $_->{quiet} ? () : $_->{at} } @{ $self->{pending} });
	my @out = $self->choices_at($self->{clock}, $sample);

	@moments = map { $moments[$self->random(scalar @moments)] } 1 .. 2 if !$last;
	push @out, map { $self->choices_at($_, $last ? 2 : 1) } @moments;
	return @out;
}

sub choices_at
{
	my ($self, $moment, $sample) = @_;
	my $path = $self->paths_at($moment);
	my @files = sort { $a <=> $b } grep { $path->{$_} } keys %{ $self->{dirty} };
	my %variants = map { ($_ => [$self->variants($_, $moment)]) } @files;
	my %now = map { ($_ => $variants{$_}[0]) } @files;
	my @torn = grep { @{ $variants{$_} } > 1 } @files;
	my @out = [$moment, \%now];

	return @out if !@torn;
	push @out, [$moment, { %now, map { ($_ => $variants{$_}[-1]) } @torn }];
	for my $i (grep { $self->{judged} || $path->{$_} !~ m{\Aberth/} } @torn) {
		push @out, map { [$moment, { %now, $i => $_ }] } @{ $variants{$i} }[1 .. $#{ $variants{$i} }];
	}
	for (1 .. (@torn < $sample ? @torn : $sample)) {
		push @out, [$moment, { %now, map { ($_ => $variants{$_}[$self->random(scalar @{ $variants{$_} })]) } @torn }];
	}
	return @out;
}

sub lost { my ($self, $c) = @_; return map { $_->{at} <= $c->[0] ? () : $_->{what} } @{ $self->{pending} } }
sub kept { my ($self, $c) = @_; return map { $_->{at} <= $c->[0] ? $_->{what} : () } @{ $self->{pending} } }

1;
