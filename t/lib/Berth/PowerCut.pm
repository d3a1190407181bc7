# SPDX-License-Identifier: Apache-2.0
#
# Berth::PowerCut: a file system in memory that knows what a power cut may leave of it.
#
#   my $fs = Berth::PowerCut->new($snapshot);       # all of it on disk
#   $fs->mkdir('a'); my $i = $fs->create('a/f'); $fs->write($i, 0, 'text'); $fs->fsync($i);
#   $fs->after_power_cut($seed, sub { my ($state) = @_; ... });
#
# The rules, harsher than any real file system:
# - fsync of a file makes its bytes durable, and not its name; of a directory, the names in it, and nothing below them.
# - Bytes that were not flushed: the file is as it was on disk, or as it is now, or as it was after any write between, or of
#   the right size with zeros.
# - Changes of names that were not flushed are each lost or kept, whatever was asked for earlier or later. Only those of
#   one and the same name keep their order. A rename changes two names at once: both or none; it is durable as soon as
#   one of the two directories is flushed.
# - What lies in a directory whose own name is lost is lost with it.
# - A flush covers what was there when it began: begin() notes that, where something else happened before it ended. What
#   sync_file_range has written covers nothing.
#
# Berth::Journal is the same for file systems that keep the order of changes.
#
# A state is a hash: path => number of a content (see content()), or 'd' for a directory.
package Berth::PowerCut;

use strict;
use warnings;

# Changes that are never lost by themselves, since nothing depends on it: that a new name in berth/tmp/ is lost shows as
# the loss of what it was renamed to, and nobody looks for what is no more in berth/trash/ or for the collector's notes.
my $SCRATCH = qr{\A(?:(?:create|mkdir|unlink) berth/(?:tmp|body|trash)/[^/]+|(?:create|mkdir|unlink) berth/(?:gc|locks)/.*|rename berth/tmp/\S+ to berth/gc/.*)\z};

# Changes below berth/ only. Where nobody judges what is there after a power cut, they are lost at random, but not one by one.
my $OURS = qr{\A\w+ berth/\S+(?: to berth/\S+)?\z};

my (@contents, %content_id);

sub intern { return $content_id{ $_[0] } //= push(@contents, $_[0]) - 1 }
sub content { return $contents[ $_[-1] ] }

# new - a snapshot is { path => { dir => 1 } or { bytes => ..., inode => any number that tells hard links } }
# option: judged => 1 where also what lies below berth/ is judged
sub new
{
	my ($class, $snapshot, %o) = @_;
	my $self = bless { inodes => [], pending => [], dirty => {}, clock => 0, %o }, $class;
	my %by_inode;

	$self->new_dir;         # number 0: the root
	for my $path (sort keys %$snapshot) {
		my $s = $snapshot->{$path};
		my ($dir, $name) = $self->parent($path);
		my $i = $s->{dir} ? $self->new_dir : ($by_inode{ $s->{inode} // $path } //= $self->new_file(intern($s->{bytes})));
		$self->{inodes}[$dir]{$_}{$name} = $i for qw(mem disk);
	}
	return $self;
}

sub new_inode { my ($self, %i) = @_; return push(@{ $self->{inodes} }, \%i) - 1 }
sub new_dir { return $_[0]->new_inode(dir => 1, mem => {}, disk => {}) }
# A file: what it holds, what of it is on disk, and each version between those; the number of writes so far, and at `disk`.
sub new_file { return $_[0]->new_inode(mem => $_[1], disk => $_[1], between => [], writes => 0, saved => 0) }

# find - the number of what a path names now; undef where nothing is there
sub find
{
	my ($self, $path) = @_;
	my $i = 0;

	for my $name (grep { $_ ne '' && $_ ne '.' } split m{/}, $path) {
		return if !$self->{inodes}[$i]{dir};
		$i = $self->{inodes}[$i]{mem}{$name} // return;
	}
	return $i;
}

sub parent
{
	my ($self, $path) = @_;
	my ($above, $name) = $path =~ m{\A(?:(.*)/)?([^/]+)\z}s or die "no path: $path\n";
	my $dir = $self->find($above // '') // die "no directory for $path\n";

	return ($dir, $name);
}

# A change of names: [directory, name, number or undef]...
sub change
{
	my ($self, $what, @sets) = @_;

	for my $s (@sets) {
		my ($dir, $name, $i) = @$s;
		my $mem = $self->{inodes}[$dir]{mem};
		defined $i ? ($mem->{$name} = $i) : delete $mem->{$name};
	}
	push @{ $self->{pending} }, { what => $what, sets => \@sets, at => ++$self->{clock},
		scratch => $what =~ $SCRATCH ? 1 : 0, quiet => !$self->{judged} && $what =~ $OURS ? 1 : 0 };
	return;
}

sub create
{
	my ($self, $path) = @_;
	my $i = $self->new_file(intern(''));

	$self->change("create $path", [$self->parent($path), $i]);
	return $i;
}

sub mkdir { my ($self, $path) = @_; return $self->change("mkdir $path", [$self->parent($path), $self->new_dir]) }
sub unlink { my ($self, $path) = @_; return $self->change("unlink $path", [$self->parent($path), undef]) }

sub link
{
	my ($self, $from, $to) = @_;

	return $self->change("link $to", [$self->parent($to), $self->find($from) // die "no $from\n"]);
}

sub rename
{
	my ($self, $from, $to) = @_;
	my $i = $self->find($from) // die "no $from\n";
	my $old = $self->find($to);

	return if defined $old && $old == $i;
	return $self->change("rename $from to $to", [$self->parent($from), undef], [$self->parent($to), $i]);
}

# exchange - two names change places, in one step
sub exchange
{
	my ($self, $a, $b) = @_;
	my ($i, $j) = map { $self->find($_) // die "no $_\n" } $a, $b;

	return $self->change("exchange $a and $b", [$self->parent($a), $j], [$self->parent($b), $i]);
}

sub set_bytes
{
	my ($self, $i, $bytes) = @_;
	my $f = $self->{inodes}[$i];

	push @{ $f->{between} }, $f->{mem} if $self->{dirty}{$i};
	$f->{mem} = intern($bytes);
	$f->{writes}++;
	$self->{dirty}{$i} = 1;
	return;
}

# saved - the bytes of a file as they were after so many writes are on disk
sub saved
{
	my ($self, $i, $writes) = @_;
	my $f = $self->{inodes}[$i];
	my $n = $writes - $f->{saved};

	return if $n <= 0;
	$f->{disk} = $n > @{ $f->{between} } ? $f->{mem} : $f->{between}[$n - 1];
	splice @{ $f->{between} }, 0, $n;
	$f->{saved} = $writes;
	delete $self->{dirty}{$i} if $f->{saved} == $f->{writes};
	return;
}

# is_mark - a mark of the journal, one byte in the midst of a file: a disk writes its sector as a whole, so this byte is the old one or the new one, and the others stay
sub is_mark { my ($bytes, $off, $new) = @_; return $new =~ /\A[+-]\z/ && $off < length $bytes }

sub bytes { my ($self, $i) = @_; return content($self->{inodes}[$i]{mem}) }

sub write
{
	my ($self, $i, $off, $new) = @_;
	my $bytes = $self->bytes($i);

	$self->{inodes}[$i]{marked} = 1 if is_mark($bytes, $off, $new);
	$bytes .= "\0" x ($off - length $bytes) if $off > length $bytes;
	substr($bytes, $off, length $new) = $new;
	return $self->set_bytes($i, $bytes);
}

sub truncate
{
	my ($self, $i, $size) = @_;
	my $bytes = $self->bytes($i);

	return $self->set_bytes($i, length $bytes >= $size ? substr($bytes, 0, $size) : $bytes . "\0" x ($size - length $bytes));
}

# For each pending change the last one before it of each of its names.
sub earlier
{
	my ($pending) = @_;
	my (%last, @before);

	for my $k (0 .. $#$pending) {
		my @names = map { "$_->[0] $_->[1]" } @{ $pending->[$k]{sets} };
		push @before, [grep { defined } @last{@names}];
		@last{@names} = ($k) x @names;
	}
	return @before;
}

# begin - what a flush of this inode covers that begins now
sub begin { my ($self, $i) = @_; return { at => $self->{clock}, writes => $self->{inodes}[$i]{writes} } }

# fsync - a flush, which began now or at $begun
sub fsync
{
	my ($self, $i, $begun) = @_;
	my $in = $self->{inodes}[$i];
	my $pending = $self->{pending};
	my @before = earlier($pending);
	my @durable;

	$begun //= $self->begin($i);
	return $self->saved($i, $begun->{writes}) if !$in->{dir};
	for my $k (reverse 0 .. $#$pending) {
		$durable[$k] ||= $pending->[$k]{at} <= $begun->{at} && grep { $_->[0] == $i } @{ $pending->[$k]{sets} };
		next if !$durable[$k];
		$durable[$_] = 1 for @{ $before[$k] };
	}
	return $self->commit(@durable);
}

sub fdatasync { my ($self, @o) = @_; return $self->fsync(@o) }

# What only an order of changes gives a meaning: bytes written out with a wait, and new times of an inode.
sub written_out { return }
sub touch { return }

# commit - the pending changes that are marked in this list are on disk
sub commit
{
	my ($self, @durable) = @_;
	my $pending = $self->{pending};

	for my $k (grep { $durable[$_] } 0 .. $#$pending) {
		$self->set_name($_, $self->{inodes}[ $_->[0] ]{disk}) for @{ $pending->[$k]{sets} };
	}
	$self->{pending} = [@$pending[grep { !$durable[$_] } 0 .. $#$pending]];
	return;
}

sub set_name
{
	my ($self, $set, $names) = @_;

	defined $set->[2] ? ($names->{ $set->[1] } = $set->[2]) : delete $names->{ $set->[1] };
	return;
}

sub syncfs
{
	my ($self) = @_;

	$self->fsync($_) for keys %{ $self->{dirty} }, grep { $self->{inodes}[$_]{dir} } 0 .. $#{ $self->{inodes} };
	return;
}

# kept_of - how many bytes of what is on disk are surely there in what is now
sub kept_of
{
	my ($f, $now, $was) = @_;

	return substr($now, 0, length $was) eq $was || ($f->{marked} && length $now >= length $was) ? length $was : 0;
}

# What a file's bytes may be after a power cut: as they are now first, as they are on disk last.
sub variants
{
	my ($self, $i) = @_;
	my $f = $self->{inodes}[$i];
	my ($now, $disk) = map { content($f->{$_}) } qw(mem disk);
	my $kept = kept_of($f, $now, $disk);
	my %seen;

	return grep { !$seen{$_}++ } $f->{mem}, intern(substr($now, 0, $kept) . "\0" x (length($now) - $kept)), @{ $f->{between} }, $f->{disk};
}

# state - the tree that these changes (a list of true or false) and bytes ({ number => content }) make
sub state
{
	my ($self, $kept, $bytes) = @_;
	my (%names, %out, @todo);
	my $inodes = $self->{inodes};

	for my $k (0 .. $#{ $self->{pending} }) {
		next if !$kept->[$k];
		for my $set (@{ $self->{pending}[$k]{sets} }) {
			$self->set_name($set, $names{ $set->[0] } //= { %{ $inodes->[ $set->[0] ]{disk} } });
		}
	}
	@todo = ([0, '']);
	while (my $t = pop @todo) {
		my ($dir, $above) = @$t;
		my $in = $names{$dir} // $inodes->[$dir]{disk};
		while (my ($name, $i) = each %$in) {
			if ($inodes->[$i]{dir}) {
				$out{"$above$name"} = 'd';
				push @todo, [$i, "$above$name/"];
			} else {
				$out{"$above$name"} = $bytes->{$i} // $inodes->[$i]{disk};
			}
		}
	}
	return \%out;
}

# now - what is seen while the power is on
sub now
{
	my ($self) = @_;

	return $self->state([map { 1 } @{ $self->{pending} }], { map { ($_ => $self->{inodes}[$_]{mem}) } keys %{ $self->{dirty} } });
}

# A small generator of numbers, so that a seed gives the same states everywhere.
sub random
{
	my ($self, $below) = @_;

	$self->{seed} = ($self->{seed} * 1103515245 + 12345) & 0x7fffffff;
	return ($self->{seed} >> 8) % $below;
}

# judged_files - of these those whose bytes matter
sub judged_files
{
	my ($self, @files) = @_;

	return @files if $self->{judged};
	my $now = $self->state([map { 1 } @{ $self->{pending} }], { map { ($_ => "i$_") } @files });
	my %judged = map { $now->{$_} =~ /\Ai(\d+)\z/ && !m{\Aberth/} ? ($1 => 1) : () } keys %$now;

	return grep { $judged{$_} } @files;
}

# choices - the subsets to look at: [kept changes, bytes]
sub choices
{
	my ($self, $sample, $last) = @_;
	my $pending = $self->{pending};
	my @before = earlier($pending);
	my @dirty = sort { $a <=> $b } keys %{ $self->{dirty} };
	my @judged = $self->judged_files(@dirty);
	my %variants = map { ($_ => [$self->variants($_)]) } @dirty;
	my %now = map { ($_ => $variants{$_}[0]) } @dirty;
	my ($n, $all) = (scalar @$pending, 1);
	my @scratch = grep { $pending->[$_]{scratch} } 0 .. $n - 1;
	my @quiet = grep { $pending->[$_]{quiet} && !$pending->[$_]{scratch} } 0 .. $n - 1;
	my @free = grep { !$pending->[$_]{quiet} && !$pending->[$_]{scratch} } 0 .. $n - 1;
	my @out;

	my $closed = sub {      # these, and the scratch; lost where an earlier change of the same name is
		my @k = (0) x $n;
		@k[@_, @scratch] = (1) x (@_ + @scratch);
		for my $k (0 .. $n - 1) {
			$k[$k] = 0 if grep { !$k[$_] } @{ $before[$k] };
		}
		return \@k;
	};
	my $only = sub {        # kept, with all earlier changes of the same name
		my %k = ($_[0] => 1);
		for my $k (reverse 0 .. $_[0]) {
			@k{@{ $before[$k] }} = (1) x @{ $before[$k] } if $k{$k};
		}
		return $closed->(keys %k);
	};
	my $random = sub {
		my $often = 1 + $self->random(7);
		return [$closed->(grep { $self->random(8) < $often } @free, @quiet), { map { ($_ => $variants{$_}[$self->random(scalar @{ $variants{$_} })]) } @dirty }];
	};

	$all *= 2 for 1 .. (@free < 20 ? @free : 20);
	$all *= @{ $variants{$_} } for @judged;
	if ($all <= $sample * 2) {
		for my $c (0 .. $all - 1) {
			my (@k, %b);
			for my $k (@free) { push @k, $k if $c % 2; $c = int $c / 2 }
			for my $i (@judged) { my $v = $variants{$i}; $b{$i} = $v->[$c % @$v]; $c = int $c / @$v }
			push @out, [$closed->(@k, @quiet), { %now, %b }];
		}
		push @out, $random->() if @quiet || @judged < @dirty;
		return @out;
	}
	push @out, [$closed->(@free, @quiet), \%now], [$closed->(), {}], [$closed->(), \%now], [$closed->(@free, @quiet), {}];
	for my $k (@free) {
		push @out, [$closed->(@quiet, grep { $_ != $k } @free), \%now];
		push @out, [$only->($k), \%now] if $last || $k == $free[-1];        # the others were looked at when they were the last
	}
	for my $i (@judged) {
		my @v = @{ $variants{$i} };
		push @out, map { [$closed->(@free, @quiet), { %now, $i => $_ }] } @v[1 .. $#v];
	}
	push @out, $random->() for 1 .. $sample;
	return @out;
}

# after_power_cut - visit states that a power cut may leave now; the visitor ends it by returning true, which is returned
# seed    of the sample; sample  how many random subsets, where there are too many for all of them
# last    whether states are judged anew that were possible before the last change: more of them are looked at then
sub after_power_cut
{
	my ($self, $seed, $sample, $visit, $last) = @_;

	$self->{seed} = $seed;
	for my $c ($self->choices($sample, $last)) {
		my $stop = $visit->($self->state(@$c), $c);
		return $stop if $stop;
	}
	return;
}

sub lost { my ($self, $c) = @_; return map { $c->[0][$_] ? () : $self->{pending}[$_]{what} } 0 .. $#{ $self->{pending} } }
sub kept { my ($self, $c) = @_; return map { $c->[0][$_] ? $self->{pending}[$_]{what} : () } 0 .. $#{ $self->{pending} } }

# told - a choice in words, for the report of a fault
sub told
{
	my ($self, $c) = @_;
	my @torn = map { my $id = $c->[1]{$_} // $self->{inodes}[$_]{disk}; $id == $self->{inodes}[$_]{mem} ? () : length(content($id)) . ' of ' . length($self->bytes($_)) . ' bytes' } keys %{ $self->{dirty} };

	return join("\n", (map { "lost: $_" } $self->lost($c)), (map { "kept: $_" } $self->kept($c)), (map { "torn: $_" } @torn)) . "\n";
}

1;
