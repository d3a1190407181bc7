# SPDX-License-Identifier: Apache-2.0
#
# Berth::Linear: whether answers that were given to many clients at once could have been given one after the other.
#
#   is linear_fault(\@operations), '', 'the register is linearizable';
#
# A register holds a text; '' stands for nothing. An operation on it takes effect at one moment between `from`, when it
# was sent, and `to`, when its answer was there:
#   { from, to, is => TEXT, not => [TEXT...], set => TEXT, drop => TEXT, what => words for people }
# `is` and `not` are what the answer says of the content at that moment, `set` what it becomes, `drop` what is replaced
# by nothing if it is there. One without set and drop only looks.
#
# Which registers a registry consists of, and what its answers say of them, is in Berth::Registers.
package Berth::Linear;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(linear_fault);

# More possibilities than this at one moment are not searched.
my $LIMIT = 200_000;

sub step
{
	my ($state, $op) = @_;

	return if defined $op->{is} && $op->{is} ne $state;
	return if $op->{not} && grep { $_ eq $state } @{ $op->{not} };
	return $op->{set} if defined $op->{set};
	return defined $op->{drop} && $op->{drop} eq $state ? '' : $state;
}

sub looks { return !defined $_[0]{set} && !defined $_[0]{drop} }

# With a state, those under way that only look and fit are done: at once, since nothing is lost by it.
sub settle
{
	my ($state, $done, $readers) = @_;

	for my $slot (keys %$readers) {
		$done |= 1 << $slot if !($done & 1 << $slot) && defined step($state, $readers->{$slot});
	}
	return $done;
}

# Of two possibilities that differ only in which readers are done, the one in which more are is as good as both.
sub without_dominated
{
	my ($configs, $readers) = @_;
	my ($mask, %group, %out) = (0);

	$mask |= 1 << $_ for keys %$readers;
	for my $c (values %$configs) {
		push @{ $group{ $c->[0] . "\0" . ($c->[1] & ~$mask) } }, $c;
	}
	for my $g (values %group) {
		my @kept;
		for my $c (sort { unpack('%64b*', pack 'Q', $b->[1]) <=> unpack('%64b*', pack 'Q', $a->[1]) } @$g) {
			push @kept, $c if !grep { ($_->[1] & $c->[1]) == $c->[1] } @kept;
		}
		$out{"$_->[0]\0$_->[1]"} = $_ for @kept;
	}
	return \%out;
}

# All possibilities in which the operation of this slot is done: it is, or it and whatever under way must come before it.
sub finish
{
	my ($configs, $slot, $writers, $readers) = @_;
	my $bit = 1 << $slot;
	my (%out, %seen);
	my @todo = values %$configs;

	while (my $c = pop @todo) {
		my ($state, $done) = @$c;
		if ($done & $bit) {
			$done &= ~$bit;
			$out{"$state\0$done"} = [$state, $done];
			next;
		}
		for my $w (keys %$writers) {
			next if $done & 1 << $w;
			my $next = step($state, $writers->{$w});
			next if !defined $next;
			my $d = settle($next, $done | 1 << $w, $readers);
			next if $seen{"$next\0$d"}++;
			push @todo, [$next, $d];
		}
		die "more than $LIMIT possibilities at one moment\n" if keys %seen > $LIMIT;
	}
	return \%out;
}

sub describe
{
	my ($op) = @_;

	return sprintf '%.6f to %.6f: %s', $op->{from}, $op->{to},
		$op->{what} // join ' ', map { "$_=" . (ref $op->{$_} ? "@{ $op->{$_} }" : $op->{$_}) } grep { defined $op->{$_} } qw(is not set drop);
}

# What came before an operation that has no place, for people.
sub explain
{
	my ($op, $ops, $states) = @_;
	my @near = grep { $_ != $op && $_->{from} <= $op->{to} } @$ops;

	@near = sort { $a->{from} <=> $b->{from} } @near;
	splice @near, 0, @near - 30 if @near > 30;
	return join "\n  ", 'no order explains ' . describe($op), 'the content could be: ' . join(', ', map { $_ eq '' ? 'nothing' : $_ } @$states),
		'before or beside it:', map { describe($_) } @near;
}

# linear_fault - '' where the operations have an order, in which each stands between its from and its to, and fits what
# those before it left; else which operation has no place in any. The content is $initial to begin with ('').
#
# All possibilities are kept along the time: a content, and which of the operations under way are done. An operation is
# done as late as possible: when its answer comes, or when another needs it (Wing and Gong's search with Lowe's
# memory of what was tried, from left to right). Operations under way are bits of an integer: 64 at once.
sub linear_fault
{
	my ($ops, $initial) = @_;
	my @free = reverse 0 .. 63;
	my (%writers, %readers, %slot);
	my $configs = { start => [$initial // '', 0] };
	my @events = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } map { ([$_->{from}, 0, $_], [$_->{to}, 1, $_]) } @$ops;

	for my $e (@events) {
		my (undef, $ends, $op) = @$e;
		if (!$ends) {
			my $s = $slot{$op} = pop @free;
			die "more than 64 operations at one moment\n" if !defined $s;
			if (!looks($op)) {
				$writers{$s} = $op;
				next;
			}
			$readers{$s} = $op;
			for my $c (values %$configs) {
				$c->[1] |= 1 << $s if defined step($c->[0], $op);
			}
			next;
		}
		my $s = delete $slot{$op};
		my $left = finish($configs, $s, \%writers, \%readers);
		return explain($op, $ops, [sort keys %{ { map { $_->[0] => 1 } values %$configs } }]) if !%$left;
		delete $writers{$s};
		delete $readers{$s};
		push @free, $s;
		$configs = keys %$left > 1 && %readers ? without_dominated($left, \%readers) : $left;
	}
	return '';
}

1;
