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
# by nothing if it is there. One without set and drop only looks. With `maybe` it takes effect then, or never; without `to`, which
# only such a one may lack, at any moment since it was sent, or never.
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

sub mask { my $mask = 0; $mask |= 1 << $_ for @_; return $mask }
sub ones { my ($mask) = @_; return unpack '%64b*', pack 'Q', $mask }

# Possibilities without those that another one is as good as: it has the same content, the same operations done that end, all readers done that the
# other has, and no more done of those that never end.
sub none_seen { my ($readers, $endless) = @_; return { more => mask(keys %$readers), less => mask(keys %$endless), n => 0 } }
sub is_new
{
	my ($seen, $state, $done) = @_;
	my ($more, $less) = ($done & $seen->{more}, $done & $seen->{less});
	my $like = $seen->{like}{ $state . "\0" . ($done & ~($seen->{more} | $seen->{less})) } //= [];

	for my $s (@$like) {
		return 0 if ($s->[0] & $more) == $more && ($s->[1] & $less) == $s->[1];
	}
	push @$like, [$more, $less];
	return ++$seen->{n};
}

# All possibilities in which the operation of this slot is done: it is, or it and whatever under way must come before it. Of those that never end
# and do the same, the one that began first is done first ($endless: what each comes after).
sub finish
{
	my ($configs, $slot, $writers, $readers, $endless) = @_;
	my $bit = 1 << $slot;
	my $seen = none_seen($readers, $endless);
	my %out;
	# Those first that others may be as good as.
	my @todo = grep { is_new($seen, @$_) } map { $_->[1] } sort { $a->[0] <=> $b->[0] }
		map { [ones($_->[1] & $seen->{less}) - ones($_->[1] & $seen->{more}), $_] } values %$configs;

	while (my $c = shift @todo) {
		my ($state, $done) = @$c;
		if ($done & $bit) {
			$done &= ~$bit;
			$out{"$state\0$done"} = [$state, $done];
			next;
		}
		for my $w (keys %$writers) {
			next if $done & 1 << $w || defined $endless->{$w} && !($done & 1 << $endless->{$w});
			my $next = step($state, $writers->{$w});
			next if !defined $next;
			my $d = settle($next, $done | 1 << $w, $readers);
			push @todo, [$next, $d] if is_new($seen, $next, $d);
		}
		die "more than $LIMIT possibilities at one moment\n" if $seen->{n} > $LIMIT;
	}
	return \%out;
}

sub describe
{
	my ($op) = @_;

	return sprintf '%.6f to %s: %s', $op->{from}, defined $op->{to} ? sprintf '%.6f', $op->{to} : '?',
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
	my (%writers, %readers, %slot, %endless, %last);
	my $configs = { start => [$initial // '', 0] };
	my @events = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } map { ([$_->{from}, 0, $_], defined $_->{to} ? [$_->{to}, 1, $_] : ()) } @$ops;

	for my $e (@events) {
		my (undef, $ends, $op) = @$e;
		if (!$ends) {
			my $s = $slot{$op} = pop @free;
			die "more than 64 operations at one moment\n" if !defined $s;
			if (!looks($op)) {
				$writers{$s} = $op;
				next if defined $op->{to};
				my $does = join "\0", map { ref $_ ? @$_ : $_ // "\1" } @$op{qw(is not set drop)};
				$endless{$s} = $last{$does};
				$last{$does} = $s;
				next;
			}
			$readers{$s} = $op;
			for my $c (values %$configs) {
				$c->[1] |= 1 << $s if defined step($c->[0], $op);
			}
			next;
		}
		my $s = delete $slot{$op};
		my $left = finish($configs, $s, \%writers, \%readers, \%endless);
		if ($op->{maybe}) {
			$left->{"$_->[0]\0$_->[1]"} = $_ for grep { !($_->[1] & 1 << $s) } values %$configs;
		}
		return explain($op, $ops, [sort keys %{ { map { $_->[0] => 1 } values %$configs } }]) if !%$left;
		delete $writers{$s};
		delete $readers{$s};
		push @free, $s;
		$configs = $left;
	}
	return '';
}

1;
