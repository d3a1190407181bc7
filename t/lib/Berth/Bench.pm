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
#                 { what => text, times => 3 }: should take at most so many times the limit's time or cost; neither: for
#                 comparison; unlike => 1: a figure of another unit, which stands there by itself
#   either        1: the target or the limit is enough
#   mark          1: a row of the short table that is measured with --load wrk
#   wrk           1: wrk measures it with --load wrk, 2: in any case
#   with          what makes the load, where it is neither wrk nor bench_load
#   repeat        how many times it is measured in each round (1), both sides by turns
#   peers         'http', 'https': it can be measured on a registry of which we know such a URL
#   needs         code, given the bench: why it cannot be measured here; nothing where it can
#   prepare       code, run once before the rounds, given the bench
#   measure       code, given the bench and a side: the figure. A side is 'berth', 'other', 'limit' or 'peer NAME'
package Berth::Bench;

use strict;
use warnings;

use JSON::PP ();
use List::Util qw(shuffle sum0);
use POSIX ();
use Time::HiRes qw(time);

use Berth::Test;

my $NEAR = 0.1;         # what misses a target by no more than this counts as met

# new: rounds, seconds (of one measurement), scale (1; less makes stores and files smaller), dir, quiet, wrk (1: the load of
# rows that it can do), peers ([Berth::Bench::Peer, ...]), disk (what Berth::Bench::Disk makes; none: dir)
sub new
{
	my ($class, %o) = @_;

	return bless { rounds => 5, seconds => 2, scale => 1, peers => [], %o, made => {} }, $class;
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

# disk - where the stores lie that are pushed to. Where their file system cannot be made it is as if nobody had wanted one,
# unless it was asked for.
sub disk
{
	my ($b) = @_;
	my $dir = $b->{disk} ? eval { $b->{disk}->dir($b) } : $b->{dir};

	return $dir if defined $dir;
	die $@ if $b->{disk}->asked;
	$b->progress("there is no file system for what is pushed: $@");
	$b->{disk} = undef;
	return $b->{dir};
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

# program_words - of a program of ours: its options by their letters (H: a list), where the side is, and the rest
sub program_words
{
	my ($program, $side, $o, @words) = @_;
	my $peer = $side->isa('Berth::Bench::Peer') ? $side : undef;
	my %all = (%$o, $peer ? (a => $peer->address, o => $peer->host) : ());
	my @headers = (@{ $o->{H} // [] }, $peer ? $peer->headers : ());

	return (program("t/bench/$program"), (map { ("-$_", $all{$_}) } sort grep { !/^H$/ } keys %all), map({ ('-H', $_) } @headers), $side->port, @words);
}

# load - runs the generator of loads, its options by their letters: its report
sub load
{
	my ($b, $side, $kind, $what, %o) = @_;
	my ($r, $j);

	for (1 .. 5) {          # a machine that stood still for all of that time has measured nothing
		$r = run({ timeout => 600 }, program_words('bench_load', $side, { s => $b->{seconds}, %o }, $kind, $what));
		$j = eval { JSON::PP->new->decode($r->{out}) };
		last if !$j || $j->{units} || $j->{errors};
	}
	die "the load failed: $r->{err}$r->{out}\n" if !$j || !$j->{units};
	die "the load met $j->{errors} errors, the first: $j->{first_error}\n" if $j->{errors};
	return $j;
}

# ask - the lines of a file by turns over kept connections, by the generator that this run has; options: H, c
sub ask
{
	my ($b, $side, $paths, %o) = @_;

	return Berth::Bench::Wrk::load($b, $side, $paths, %o) if $b->{wrk};
	return $b->load($side, paths => $paths, w => $b->{seconds} / 4, %o);
}

# begin - a program beside something else; its end comes when it is asked for. { pid, out (a file) }
sub begin
{
	my ($b, @words) = @_;
	my $out = spew("$b->{dir}/load." . ++$b->{loads}, '');
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDOUT, '>', $out or POSIX::_exit(127);
		exec Berth::Server::guard(), @words or POSIX::_exit(127);
	}
	return { pid => $pid, out => $out };
}

sub end
{
	my ($b, $l) = @_;

	kill TERM => $l->{pid};
	waitpid $l->{pid}, 0;
	my ($json) = slurp($l->{out}) =~ /^(\{.*\})$/m or die "the load said nothing\n";
	return JSON::PP->new->decode($json);
}

sub load_begin
{
	my ($b, $side, $kind, $what, %o) = @_;

	return $b->begin(program_words('bench_load', $side, { s => 600, %o }, $kind, $what));
}

sub load_end
{
	my ($b, $l) = @_;
	my $j = $b->end($l);

	die "the load met $j->{errors} errors, the first: $j->{first_error}\n" if $j->{errors};
	return $j;
}

# hold_begin, hold_end - many connections that are idle, or read slowly, from now until then. None may have been closed.
sub hold_begin
{
	my ($b, $side, $path, %o) = @_;
	my $l = $b->begin(program_words('bench_hold', $side, \%o, $path));

	wait_for { slurp($l->{out}) =~ /^ready$/m || waitpid($l->{pid}, POSIX::WNOHANG()) } or die "the connections are not answered\n";
	die "the connections are not answered\n" if slurp($l->{out}) !~ /^ready$/m;
	return $l;
}

sub hold_end
{
	my ($b, $l) = @_;
	my $j = $b->end($l);

	die "$j->{closed} of $j->{held} connections were closed\n" if $j->{closed};
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

# grade - (met, near): whether a figure reaches a bound, or misses it by so little that this counts as well
sub grade
{
	my ($v, $bound, $at_most) = @_;
	my $reached = $at_most ? $v <= $bound : $v >= $bound;
	my $near = !$reached && ($at_most ? $v <= $bound * (1 + $NEAR) : $v >= $bound * (1 - $NEAR));

	return ($reached || $near ? 1 : 0, $near ? 1 : 0);
}

# peer_summary - of one peer: the median of its figures and of the ratios to docker-registry
sub peer_summary
{
	my ($row, $name, @rounds) = @_;
	my @with = grep { defined $_->{"peer $name"} } @rounds;

	return if !@with;
	return { value => median(map { $_->{"peer $name"} } @with), ratio => median(map { ratio_of($row, $_->{"peer $name"}, $_->{other}) } grep { defined $_->{other} } @with) };
}

# summary - of a row's rounds, [{ berth, other, limit, 'peer NAME' }]: medians, the ratio's spread, whether the targets are met
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
	@s{qw(met near)} = grade($s{ratio}, $row->{target}, $row->{as} eq 'cost') if @ratio && defined $row->{target};
	my $l = $row->{limit};
	if ($l && defined $s{limit}) {
		$s{of_limit} = median(map { $_->{berth} / ($_->{limit} || 1e-9) } @rounds);
		@s{qw(limit_met limit_near)} = grade($s{of_limit}, $l->{share}) if $l->{share};
		@s{qw(limit_met limit_near)} = grade($s{of_limit}, $l->{times}, 1) if $l->{times};
		@s{qw(met near)} = @s{qw(limit_met limit_near)} if $row->{either} && $s{limit_met} && (!$s{met} || $s{near});
	}
	my %names = map { /^peer (.*)/ ? ($1 => 1) : () } map { keys %$_ } @rounds;
	$s{peers}{$_} = peer_summary($row, $_, @rounds) for keys %names;
	return \%s;
}

# figures_of - one round of one row: a figure of each side, in shuffled order. A peer that fails is left out from then on, and
# why is said.
sub figures_of
{
	my ($b, $row) = @_;
	my %figure;

	for my $side (shuffle @{ $row->{sides} // [qw(berth other)] }) {
		my $v = eval { $row->{measure}->($b, $side) };
		if (!defined $v && $side =~ /^peer /) {
			$b->progress("  $row->{name}: $side is left out: $@");
			$row->{sides} = [grep { $_ ne $side } @{ $row->{sides} }];
			next;
		}
		die "$row->{name}, $side: $@" if !defined $v;
		$figure{$side} = $v;
	}
	$b->progress(sprintf '  %-18s %s', $row->{name}, join '  ', map { sprintf "$_ %.4g", $figure{$_} } sort keys %figure);
	return \%figure;
}

# measure - all rows, group by group, round by round, in shuffled order: each gets its rounds and summary, or in `not` why not
sub measure
{
	my ($b, @rows) = @_;
	my (@groups, %in);

	for my $r (@rows) {
		$r->{not} = $r->{needs} ? $r->{needs}->($b) : undef;
		if ($r->{not}) {
			$b->progress("$r->{name} is left out: $r->{not}");
			next;
		}
		my @peers = grep { ($r->{peers} // '') eq $_->scheme } @{ $b->{peers} };
		$r->{sides} = [@{ $r->{sides} // [qw(berth other)] }, map { 'peer ' . $_->name } @peers];
		push @groups, $r->{group} if !$in{ $r->{group} };
		push @{ $in{ $r->{group} } }, $r;
	}
	for my $g (@groups) {
		$b->progress("$g: " . join ', ', map { $_->{name} } @{ $in{$g} });
		for my $r (@{ $in{$g} }) {
			$r->{prepare}->($b) if $r->{prepare};
		}
		for my $n (1 .. $b->{rounds}) {
			$b->progress(" round $n");
			for my $r (shuffle @{ $in{$g} }) {
				push @{ $r->{rounds} }, $b->figures_of($r) for 1 .. $r->{repeat} // 1;
			}
		}
		$b->forget;
	}
	$_->{summary} = summary($_, @{ $_->{rounds} // [] }) for @rows;
	$b->forget(1);
	return @rows;
}

1;
