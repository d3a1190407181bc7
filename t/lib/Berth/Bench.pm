# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench: what all measurements share: rows, rounds, loads, and the processor time and memory of processes.
#
# A row is a hash:
#   name, title   as --only and the table call it
#   group         what is measured with the same servers; a group ends before the next begins
#   as            'rate' (more is better), 'time' (ms or s; less is better; the ratio is how many times as fast),
#                 'cost' (less is better; the ratio is the share of the other's cost)
#   unit          of the figures
#   target        of the ratio's median: at least, with 'cost' at most. undef: none
#   sides         which are measured: [qw(berth other limit)]
#   limit         { what => text, share => 0.8 }: berth should reach that share of the limit's rate;
#                 { what => text, times => 3 }: should take at most so many times the limit's time; neither: for comparison;
#                 unlike => 1: a figure of another unit, which stands there by itself
#   prepare       code, run once before the rounds, given the bench
#   measure       code, given the bench and a side: the figure
package Berth::Bench;

use strict;
use warnings;

use JSON::PP ();
use List::Util qw(shuffle sum0);
use POSIX ();
use Time::HiRes qw(time);

use Berth::Test;

# new: rounds, seconds (of one measurement), scale (1; less makes stores and files smaller), dir, quiet
sub new
{
	my ($class, %o) = @_;

	return bless { rounds => 5, seconds => 2, scale => 1, %o, made => {} }, $class;
}

sub seconds { return $_[0]{seconds} }
sub dir { return $_[0]{dir} }

# scaled - a number of things, fewer where everything is to be smaller
sub scaled
{
	my ($b, $n) = @_;
	my $v = int($n * $b->{scale});

	return $v < 10 ? 10 : $v;
}

sub progress
{
	my ($b, $text) = @_;

	printf STDERR "%s %s\n", POSIX::strftime('%H:%M:%S', localtime), $text if !$b->{quiet};
	return;
}

# once - a thing that is made when it is first wanted, and kept until its group ends
sub once
{
	my ($b, $name, $make) = @_;

	return $b->{made}{$name} //= $make->();
}

# forget - ends what was made, but for those whose names begin with "store "
sub forget
{
	my ($b, $stores_too) = @_;

	for my $name (keys %{ $b->{made} }) {
		next if $name =~ /^store / && !$stores_too;
		my $thing = delete $b->{made}{$name};
		$thing->stop if ref $thing && ref $thing ne 'HASH' && eval { $thing->can('stop') };
	}
	return;
}

# Numbers with commas.
sub commas
{
	my ($n) = @_;

	1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
	return $n;
}

sub load_words
{
	my ($o, @words) = @_;

	return (program('t/bench/bench_load'), (map { ("-$_", $o->{$_}) } sort grep { !/^H$/ } keys %$o), map({ ('-H', $_) } @{ $o->{H} // [] }), @words);
}

# load - runs the generator of loads, its options by their letters (H: a list): its report
sub load
{
	my ($b, $side, $kind, $what, %o) = @_;
	my $r = run({ timeout => 600 }, load_words({ s => $b->{seconds}, %o }, $side->port, $kind, $what));
	my $j = eval { JSON::PP->new->decode($r->{out}) };

	die "the load failed: $r->{err}$r->{out}\n" if !$j || !$j->{units};
	die "the load met $j->{errors} errors, the first: $j->{first_error}\n" if $j->{errors};
	return $j;
}

# load_begin, load_end - the same beside something else; the end comes when it is asked for
sub load_begin
{
	my ($b, $side, $kind, $what, %o) = @_;
	my $out = "$b->{dir}/load." . ++$b->{loads};
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDOUT, '>', $out or POSIX::_exit(127);
		exec Berth::Server::guard(), load_words({ s => 600, %o }, $side->port, $kind, $what) or POSIX::_exit(127);
	}
	return { pid => $pid, out => $out };
}

sub load_end
{
	my ($b, $l) = @_;

	kill TERM => $l->{pid};
	waitpid $l->{pid}, 0;
	my $j = eval { JSON::PP->new->decode(slurp($l->{out})) } // die "the load said nothing\n";
	die "the load met $j->{errors} errors, the first: $j->{first_error}\n" if $j->{errors};
	return $j;
}

# paths - a file of requests for a load
sub paths
{
	my ($b, $name, @lines) = @_;
	my $file = "$b->{dir}/$name.paths";

	spew($file, join('', map { "$_\n" } @lines));
	return $file;
}

# cpu - processor time of these processes and all their threads so far, in seconds
sub cpu
{
	my (@pids) = @_;
	my $ns = 0;

	for my $file (map { glob "/proc/$_/task/*/schedstat" } @pids) {
		$ns += (split ' ', slurp($file))[0] if -e $file;
	}
	return $ns / 1e9;
}

# pss - memory of these processes in MiB, what they share counted in parts
sub pss
{
	my (@pids) = @_;

	return sum0(map { slurp("/proc/$_/smaps_rollup") =~ /^Pss:\s+(\d+)/m ? $1 : 0 } @pids) / 1024;
}

sub median
{
	my @v = sort { $a <=> $b } @_;

	return if !@v;
	return @v % 2 ? $v[@v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# ratio_of - of two figures of one round
sub ratio_of
{
	my ($row, $berth, $other) = @_;

	return $row->{as} eq 'time' ? $other / ($berth || 1e-9) : $berth / ($other || 1e-9);
}

# summary - of a row's rounds, [{ berth, other, limit }]: medians, the ratio's spread, whether the targets are met
sub summary
{
	my ($row, @rounds) = @_;
	my %s;

	for my $side (qw(berth other limit)) {
		my @v = grep { defined } map { $_->{$side} } @rounds;
		$s{$side} = median(@v) if @v;
	}
	my @ratio = sort { $a <=> $b } map { ratio_of($row, @$_{qw(berth other)}) } grep { defined $_->{other} } @rounds;
	@s{qw(ratio_min ratio ratio_max)} = ($ratio[0], median(@ratio), $ratio[-1]) if @ratio;
	$s{met} = ($row->{as} eq 'cost' ? $s{ratio} <= $row->{target} : $s{ratio} >= $row->{target}) ? 1 : 0 if @ratio && defined $row->{target};
	my $l = $row->{limit};
	if ($l && defined $s{limit}) {
		$s{of_limit} = median(map { $_->{berth} / ($_->{limit} || 1e-9) } @rounds);
		$s{limit_met} = $s{of_limit} >= $l->{share} ? 1 : 0 if $l->{share};
		$s{limit_met} = $s{of_limit} <= $l->{times} ? 1 : 0 if $l->{times};
	}
	return \%s;
}

# measure - all rows, group by group, round by round, in shuffled order: each gets its rounds and summary
sub measure
{
	my ($b, @rows) = @_;
	my (@groups, %in);

	for my $r (@rows) {
		push @groups, $r->{group} if !$in{ $r->{group} };
		push @{ $in{ $r->{group} } }, $r;
	}
	for my $g (@groups) {
		$b->progress("$g: " . join ', ', map { $_->{name} } @{ $in{$g} });
		for my $r (@{ $in{$g} }) {
			$r->{prepare}->($b) if $r->{prepare};
		}
		for my $n (1 .. $b->{rounds}) {
			for my $r (shuffle @{ $in{$g} }) {
				my %figure = map { $_ => $r->{measure}->($b, $_) } shuffle @{ $r->{sides} // [qw(berth other)] };
				push @{ $r->{rounds} }, \%figure;
				$b->progress(sprintf '  %d %-14s %s', $n, $r->{name}, join '  ', map { sprintf "$_ %.4g", $figure{$_} } sort keys %figure);
			}
		}
		$b->forget;
	}
	$_->{summary} = summary($_, @{ $_->{rounds} }) for @rows;
	$b->forget(1);
	return @rows;
}

1;
