#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# No two modules call each other, directly or by way of others: the object files' symbols say who calls whom.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

plain_build_only('it runs no program that is built with sanitizers');
need_program('nm');
my $dir = build_dir() . '/src';
my %objects = map { $_ => (s|^\Q$dir\E/||r =~ s/\.o$//r) } glob("$dir/*.o $dir/*/*.o");
my (%home, %wants);
for my $file (sort keys %objects) {
	for (split /\n/, run('nm', '--extern-only', '--format=posix', $file)->{out}) {
		my ($symbol, $type) = split ' ';

		push @{ $wants{ $objects{$file} } }, $symbol if $type eq 'U';
		$home{$symbol} = $objects{$file} if $type =~ /^[TDBRVW]$/ && $symbol ne 'main';
	}
}
cmp_ok scalar(keys %home), '>', 300, 'the object files have symbols: else nothing is compared';

# calls of a module: module => the symbols that it takes from there
my %calls;
for my $from (keys %wants) {
	for my $symbol (@{ $wants{$from} }) {
		my $to = $home{$symbol};

		push @{ $calls{$from}{$to} }, $symbol if defined $to && $to ne $from;
	}
}

# Tarjan's algorithm: the sets of modules each of which leads to all others of its set.
my ($count, %index, %low, %on, @stack, @circles) = (0);
sub visit {
	my ($m) = @_;

	$index{$m} = $low{$m} = $count++;
	push @stack, $m;
	$on{$m} = 1;
	for my $to (sort keys %{ $calls{$m} }) {
		visit($to) if !exists $index{$to};
		next if !$on{$to};
		my $reached = $low{$to};
		$low{$m} = $reached if $reached < $low{$m};
	}
	return if $low{$m} != $index{$m};
	my @set;
	do {
		push @set, pop @stack;
		delete $on{ $set[-1] };
	} until $set[-1] eq $m;
	push @circles, [sort @set] if @set > 1;
}
visit($_) for sort values %objects;

for my $circle (@circles) {
	my %in = map { $_ => 1 } @$circle;

	fail('a circle of modules: ' . join(' ', @$circle));
	for my $from (@$circle) {
		diag("$from calls $_: @{ $calls{$from}{$_} }") for grep { $in{$_} } sort keys %{ $calls{$from} };
	}
}
is scalar(@circles), 0, 'the modules call each other in one direction alone';

done_testing;
